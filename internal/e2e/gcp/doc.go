// Package gcp tests what docs/INSTALL.md has people do in Google Cloud: that
// the custom roles under configs/gcp hold what the code calls for, and that
// scripts/gcp-setup.sh prints commands that the real gcloud takes. It holds
// tests only, and reaches no cloud.
//
// It cannot know which permission a method of Google's asks for: that is
// written down here, from Google's reference, once a method.
package gcp
