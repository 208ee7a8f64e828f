// Package gcp holds the custom roles that daskbot needs in a project of Google
// Cloud, as files that gcloud takes and as lists. The files say why each
// permission is needed; docs/INSTALL.md says who is bound to them.
//
// It grants nothing and asks nobody.
package gcp
