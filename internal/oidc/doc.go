// Package oidc takes bearer tokens of an identity provider beside daskbot's
// own: signed JWTs with the configured issuer and audience, checked against
// the provider's published keys, which are cached and refreshed when a token
// names a new one.
//
// It says who somebody is. What they may do is decided as everywhere, by
// environment.Authorize on the Caller made here. It logs nobody in and keeps no
// session.
package oidc
