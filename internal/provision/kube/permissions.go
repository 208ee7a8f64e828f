package kube

import (
	"context"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// The values of Access.Google.
const (
	googleNone         = "none"
	googleClusterAdmin = "cluster-admin"
	// clusterAdminBinding is the name that the first walkthrough types.
	clusterAdminBinding = "cluster-admin-binding"
	// roleEdit is Kubernetes' own role, and stands for tenantRole where that applies.
	roleEdit = "edit"
)

// tenantRole is what "edit" means on a shared cluster. Kubernetes' own role of
// that name may change network policies, which here keep tenants apart and
// away from the nodes' metadata server.
func tenantRole(p environment.Plan) *rbacv1ac.RoleApplyConfiguration {
	rule := func(group string, resources ...string) *rbacv1ac.PolicyRuleApplyConfiguration {
		return rbacv1ac.PolicyRule().WithAPIGroups(group).WithResources(resources...)
	}
	look := []string{"get", "list", "watch"}
	change := append([]string{"create", "update", "patch", "delete", "deletecollection"}, look...)
	return rbacv1ac.Role(ownerAccount, p.Namespace).WithLabels(ours(p)).WithRules(
		rule("", "pods", "pods/exec", "pods/attach", "pods/portforward", "services", "configmaps", "secrets",
			"persistentvolumeclaims").WithVerbs(change...),
		rule("", "pods/log", "pods/status", "events", "endpoints", "serviceaccounts", "resourcequotas", "limitranges").WithVerbs(look...),
		rule("apps", "deployments", "deployments/scale", "statefulsets", "statefulsets/scale", "replicasets").WithVerbs(change...),
		rule("batch", "jobs", "cronjobs").WithVerbs(change...),
		rule("kubernetes.dask.org", rbacv1.ResourceAll).WithVerbs(change...),
		rule("networking.k8s.io", "networkpolicies").WithVerbs(look...),
	)
}

// applyPermissions makes the service account behind the owner's kubeconfig and
// the binding of the owner's Google account, and removes bindings of that
// account that are no longer wanted.
func (l *link) applyPermissions(ctx context.Context, p environment.Plan) error {
	account := corev1ac.ServiceAccount(ownerAccount, p.Namespace).
		WithLabels(ours(p)).WithAutomountServiceAccountToken(false)
	if _, err := l.typed.CoreV1().ServiceAccounts(p.Namespace).Apply(ctx, account, applyOptions); err != nil {
		return err
	}
	if !p.Dedicated {
		role := tenantRole(p)
		if _, err := l.typed.RbacV1().Roles(p.Namespace).Apply(ctx, role, applyOptions); err != nil {
			return err
		}
	}
	owner := rbacv1ac.Subject().WithKind(rbacv1.ServiceAccountKind).WithName(ownerAccount).WithNamespace(p.Namespace)
	if err := l.bind(ctx, p, ownerAccount, ours(p), roleEdit, owner); err != nil {
		return err
	}
	return l.applyGoogle(ctx, p)
}

// googleBinding is the level of rights to bind, "" for none. Cluster-wide
// rights are given on a cluster of one's own only.
func googleBinding(p environment.Plan) string {
	level := p.Access.Google
	if level == googleNone || p.Google == "" || level == googleClusterAdmin && (!p.Dedicated || p.Given) {
		return ""
	}
	return level
}

func (l *link) applyGoogle(ctx context.Context, p environment.Plan) error {
	level := googleBinding(p)
	labels := ours(p)
	labels[labelBinding] = bindingGoogle
	// Kubernetes compares the names of users by letter case; Google reports
	// its accounts in lower case.
	user := rbacv1ac.Subject().WithKind(rbacv1.UserKind).WithAPIGroup(rbacv1.GroupName).
		WithName(strings.ToLower(p.Google))
	wanted := ""
	switch level {
	case "":
	case googleClusterAdmin:
		role := rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(googleClusterAdmin)
		binding := rbacv1ac.ClusterRoleBinding(clusterAdminBinding).WithLabels(labels).WithRoleRef(role).WithSubjects(user)
		if _, err := l.typed.RbacV1().ClusterRoleBindings().Apply(ctx, binding, applyOptions); err != nil {
			return err
		}
	default:
		// The role of a binding cannot be changed, so its name carries it.
		wanted = "daskbot-google-" + level
		if err := l.bind(ctx, p, wanted, labels, level, user); err != nil {
			return err
		}
	}
	return l.unbindGoogle(ctx, p, wanted, level == googleClusterAdmin)
}

func (l *link) bind(ctx context.Context, p environment.Plan, name string, labels map[string]string, role string, who *rbacv1ac.SubjectApplyConfiguration) error {
	ref := rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName(role)
	if role == roleEdit && !p.Dedicated {
		ref.WithKind("Role").WithName(ownerAccount)
	}
	binding := rbacv1ac.RoleBinding(name, p.Namespace).WithLabels(labels).WithRoleRef(ref).WithSubjects(who)
	_, err := l.typed.RbacV1().RoleBindings(p.Namespace).Apply(ctx, binding, applyOptions)
	return err
}

// unbindGoogle removes the bindings of earlier levels.
func (l *link) unbindGoogle(ctx context.Context, p environment.Plan, wanted string, keepAdmin bool) error {
	selector := metav1.ListOptions{LabelSelector: labelBinding + "=" + bindingGoogle + "," +
		environment.LabelEnvironment + "=" + p.Environment}
	bindings, err := l.typed.RbacV1().RoleBindings(p.Namespace).List(ctx, selector)
	if err != nil {
		return err
	}
	for _, b := range bindings.Items {
		if b.Name == wanted {
			continue
		}
		if err := gone(l.typed.RbacV1().RoleBindings(p.Namespace).Delete(ctx, b.Name, exactly(b.UID))); err != nil {
			return err
		}
	}
	if keepAdmin || !p.Dedicated || p.Given {
		return nil
	}
	admins, err := l.typed.RbacV1().ClusterRoleBindings().List(ctx, selector)
	if err != nil {
		return err
	}
	for _, b := range admins.Items {
		if err := gone(l.typed.RbacV1().ClusterRoleBindings().Delete(ctx, b.Name, exactly(b.UID))); err != nil {
			return err
		}
	}
	return nil
}
