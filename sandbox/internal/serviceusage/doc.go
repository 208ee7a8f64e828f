// Package serviceusage answers the questions of the Service Usage API that
// gcloud asks before it uses another API: is it enabled in this project?
//
// It also answers projects.testIamPermissions of the Resource Manager API,
// which is how a client finds out what it may do in a project. It does not
// enable or disable anything on its own account: a project's mark in
// cloud.World says whether Kubernetes Engine is on.
package serviceusage
