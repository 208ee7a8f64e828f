// Package pki makes the keys and certificates of one control plane: its
// authority, its serving certificate and the key that signs service account
// tokens. Files that exist are kept, so a control plane that is started again
// is the same one to its clients. It renews nothing: certificates outlive any
// sandbox.
package pki
