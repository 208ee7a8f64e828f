#!/usr/bin/env bash
# Builds the named programs into bin/ and says how far it is: the control plane
# is Kubernetes itself, some 2,500 packages, and takes minutes the first time.
source "$(dirname "$0")/lib.sh"

kubernetes=v1.37.2
version=${VERSION:-dev}

# compile NAME DIRECTORY PACKAGE [LDFLAGS [TAGS]]
compile() {
	local name=$1 dir=$2 package=$3 flags="-s -w ${4:-}" tags=${5:-} count=0 total line said=$SECONDS
	total=$(cd "$dir" && go list -tags "$tags" -deps -f '{{if .Stale}}x{{end}}' "$package" | grep -c x || true)
	if ((total > 20)); then say "compiling $name: $total packages"; fi
	(cd "$dir" && go build -v -tags "$tags" -ldflags "$flags" -o "$root/bin/$name" "$package" 2>&1) |
		while IFS= read -r line; do
			if [[ $line == *' '* ]]; then # a compiler's message; package names have no blanks
				say "$line" >&2
				continue
			fi
			count=$((count + 1))
			if ((SECONDS - said >= 10)); then
				said=$SECONDS
				say "compiling $name: $count of $total packages, now $line"
			fi
		done
}

# Charts compare the server's version: without these it is not one.
numbers=$(printf -- '-X %s ' \
	k8s.io/component-base/version.gitVersion=$kubernetes \
	k8s.io/component-base/version.gitMajor=1 k8s.io/component-base/version.gitMinor=37 \
	k8s.io/component-base/version.gitTreeState=clean \
	k8s.io/client-go/pkg/version.gitVersion=$kubernetes)

for name in "$@"; do
	case $name in
	daskbot)
		compile daskbot . ./cmd/daskbot "-X main.release=$version" ;;
	daskbot-sandbox)
		compile daskbot-sandbox sandbox ./cmd/daskbot-sandbox "-X main.version=$version" ;;
	daskbot-controlplane)
		if [[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/kube-apiserver && -x $KUBEBUILDER_ASSETS/etcd &&
			-x $KUBEBUILDER_ASSETS/kube-controller-manager && -x $KUBEBUILDER_ASSETS/kube-scheduler ]]; then
			say "the control plane comes from KUBEBUILDER_ASSETS, $KUBEBUILDER_ASSETS"
			continue
		fi
		# The usual assets are these two; what they provide is left out.
		tags=''
		for asset in etcd kube-apiserver; do
			[[ -n ${KUBEBUILDER_ASSETS:-} && -x $KUBEBUILDER_ASSETS/$asset ]] || continue
			say "$asset comes from KUBEBUILDER_ASSETS, $KUBEBUILDER_ASSETS"
			tags+=external_${asset#kube-},
		done
		compile daskbot-controlplane sandbox ./cmd/daskbot-controlplane "$numbers" "$tags" ;;
	daskbot-node)
		# The tag keeps the kubelet out of everything that builds ./...
		compile daskbot-node sandbox ./cmd/daskbot-node "$numbers" node ;;
	daskbot-dns)
		compile daskbot-dns sandbox/dns . ;;
	helm)
		# Without the last four, lint and template think of Kubernetes 1.20.
		compile helm tools helm.sh/helm/v3/cmd/helm "$(printf -- '-X helm.sh/helm/v3/%s ' \
			internal/version.version=v3.22.0 \
			pkg/chartutil.k8sVersionMajor=1 pkg/chartutil.k8sVersionMinor=37 \
			pkg/lint/rules.k8sVersionMajor=1 pkg/lint/rules.k8sVersionMinor=37)" ;;
	golangci-lint)
		compile golangci-lint tools github.com/golangci/golangci-lint/v2/cmd/golangci-lint ;;
	*) die "build.sh knows no program $name" ;;
	esac
done
