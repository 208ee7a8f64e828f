package standin

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/crypto/argon2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const standsForJupyter = "the Jupyter server of a Dask installation"

const jupyterCookie = "jupyter-session"

// jupyter stands in for the Jupyter server of the dask chart.
type jupyter struct{ *target }

func newJupyter(t *target) http.Handler {
	j := &jupyter{target: t}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { j.loginPage(w, r, http.StatusOK, "") })
	mux.HandleFunc("POST /login", j.login)
	mux.HandleFunc("GET /logout", j.logout)
	mux.HandleFunc("GET /sandbox/packages", t.packages)
	mux.Handle("GET /{$}", http.RedirectHandler("/lab", http.StatusFound))
	mux.HandleFunc("/", j.serve)
	return mux
}

// serve answers everything behind the login, and /api, which is open.
func (j *jupyter) serve(w http.ResponseWriter, r *http.Request) {
	rest := strings.TrimPrefix(r.URL.Path, "/")
	if strings.Trim(rest, "/") != "api" && !j.authorized(r) {
		if strings.HasPrefix(rest, "api/") {
			writeJSON(w, http.StatusForbidden, map[string]any{"message": "Forbidden", "reason": nil})
			return
		}
		http.Redirect(w, r, "/login?next="+r.URL.EscapedPath(), http.StatusFound)
		return
	}
	var server Server
	started := readySince(&podsOf(r)[0])
	j.edit(func(rec *record) bool {
		if rec.Jupyter == nil {
			rec.Jupyter = &Server{Ready: true, Started: &started, LastActivity: &started}
		}
		server = copyServer(rec.Jupyter)
		return false
	})
	status := serveNotebook(w, rest, server, func() {
		j.page(w, http.StatusOK, page{Title: "JupyterLab", StandsFor: standsForJupyter,
			Links: []link{{URL: "/sandbox/packages", Text: "Packages each side was given"}, {URL: "/logout", Text: "Log out"}}})
	})
	if status < 300 && tracked(r, rest) {
		now := j.now().UTC()
		j.edit(func(rec *record) bool {
			if rec.Jupyter == nil {
				return false // forgotten meanwhile
			}
			rec.Jupyter.LastActivity = &now
			return true
		})
	}
}

// tracked reports whether a Jupyter server itself takes a request for a path
// below its own for activity. Without a proxy in front, nobody else does.
func tracked(r *http.Request, rest string) bool {
	path := strings.Trim(rest, "/")
	return path != "api" && path != "api/status" && r.FormValue("no_track_activity") == ""
}

// authorized takes the pod's token in a header or the query, or the cookie
// of a login.
func (j *jupyter) authorized(r *http.Request) bool {
	given := bearer(r)
	if given == "" {
		given = r.URL.Query().Get("token")
	}
	if given != "" {
		token := env(&podsOf(r)[0], "JUPYTER_TOKEN")
		return token != "" && same(given, token)
	}
	cookie, err := r.Cookie(jupyterCookie)
	if err != nil {
		return false
	}
	name, ok := unseal(j.key, cookie.Value)
	return ok && name == j.sessionName(r)
}

// sessionName ties a session to this very installation of the server.
func (j *jupyter) sessionName(r *http.Request) string {
	return j.clusterID + "/" + j.service.Namespace + "/" + j.service.Name + "/" + env(&podsOf(r)[0], "JUPYTER_TOKEN")
}

func (j *jupyter) loginPage(w http.ResponseWriter, r *http.Request, status int, problem string) {
	action := "/login"
	if next := localPath(r.FormValue("next")); next != "" {
		action += "?next=" + next
	}
	j.page(w, status, page{Title: "Sign in", StandsFor: standsForJupyter, Error: problem,
		Login: &login{Action: action, XSRF: giveXSRF(w, r)}})
}

// login takes the password the server has read, or its token. One that was
// given neither has made up a token that is only in its log.
func (j *jupyter) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if !checkXSRF(r) {
		j.loginPage(w, r, http.StatusForbidden, "'_xsrf' argument missing from POST")
		return
	}
	pod := podsOf(r)[0]
	hash, err := j.passwordHash(r.Context(), &pod)
	if err != nil {
		j.fail(w, r, "read the password", err)
		return
	}
	given, token := r.FormValue("password"), env(&pod, "JUPYTER_TOKEN")
	if !(hash != "" && passwordMatches(hash, given)) && !(token != "" && same(given, token)) {
		j.loginPage(w, r, http.StatusUnauthorized, "Invalid credentials")
		return
	}
	setSession(w, jupyterCookie, "/", seal(j.key, j.sessionName(r)))
	next := localPath(r.FormValue("next"))
	if next == "" {
		next = "/lab"
	}
	http.Redirect(w, r, next, http.StatusFound)
}

func (j *jupyter) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: jupyterCookie, Path: "/", MaxAge: -1})
	http.Redirect(w, r, "/login", http.StatusFound)
}

const passwordFile = "jupyter_notebook_config.py"

var passwordLine = regexp.MustCompile(`(?m)^\s*c\.\w+\.(?:hashed_)?password\s*=\s*u?["']([^"']+)["']`)

// passwordHash is the hash in the configuration that the chart mounts, or
// empty: Jupyter Server reads that file only when its arguments name it.
func (j *jupyter) passwordHash(ctx context.Context, pod *corev1.Pod) (string, error) {
	arguments := env(pod, "JUPYTERLAB_ARGS")
	if !strings.Contains(arguments, "--config") || !strings.Contains(arguments, passwordFile) {
		return "", nil
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.ConfigMap == nil {
			continue
		}
		config, err := j.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, volume.ConfigMap.Name, metav1.GetOptions{ResourceVersion: "0"})
		if err != nil {
			return "", fmt.Errorf("get configuration %s: %w", volume.ConfigMap.Name, err)
		}
		lines := passwordLine.FindAllStringSubmatch(config.Data[passwordFile], -1)
		if len(lines) > 0 {
			return lines[len(lines)-1][1], nil
		}
	}
	return "", nil
}

// passwordMatches checks a password against a hash that Jupyter makes:
// argon2:$argon2id$…, or algorithm:salt:hash of old.
func passwordMatches(hashed, password string) bool {
	algorithm, rest, _ := strings.Cut(hashed, ":")
	switch algorithm {
	case "argon2":
		return argon2Matches(rest, password)
	default: // any that Python's hashlib knows
		salt, want, ok := strings.Cut(rest, ":")
		digest, known := digests[algorithm]
		if !ok || !known {
			return false
		}
		h := digest()
		_, _ = h.Write([]byte(password + salt)) // never fails
		return same(hex.EncodeToString(h.Sum(nil)), want)
	}
}

var digests = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// argon2Matches reads $argon2id$v=19$m=10240,t=10,p=8$salt$hash.
func argon2Matches(encoded, password string) bool {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var memory, times uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &times, &threads); err != nil || times == 0 || threads == 0 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 || memory > 1<<20 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, times, memory, threads, uint32(len(want)))
	return same(string(got), string(want))
}
