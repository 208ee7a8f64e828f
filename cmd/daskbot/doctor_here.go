package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/daskbot/daskbot/internal/bot"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// littleSpace is when an SQLite file's disk is called full soon.
const littleSpace = 512 << 20

func (x examined) store(ctx context.Context) []finding {
	got, err := store.Examine(ctx, storeConfig(x.cfg))
	if err != nil {
		return only(unusable(err))
	}
	var findings []finding
	switch {
	case got.New:
		findings = append(findings, well("There is no store yet; the daemon makes it when it starts."))
	case got.Version < got.Latest:
		findings = append(findings, odd("Start this version of daskbot once; it brings the tables up to date.", "The tables are of version %d, this daskbot's of %d.", got.Version, got.Latest))
	case got.Version > got.Latest:
		findings = append(findings, odd("Use the newer daskbot, or restore the backup from before it.", "The tables are of version %d; this daskbot knows %d. A newer one wrote them.", got.Version, got.Latest))
	default:
		findings = append(findings, well("The store answers; its tables are of version %d.", got.Version))
	}
	if got.FreeBytes >= 0 && got.FreeBytes < littleSpace {
		findings = append(findings, ill("Make room, or move the store: daskbot backup, then restore elsewhere.", "Only %d MiB are left on the disk of the store.", got.FreeBytes>>20))
	}
	if got.Sealed.Unreadable > 0 {
		findings = append(findings, ill("Put the key they were written with into store.key, or into store.oldKeys.", "%d stored secrets cannot be read with the keys given.", got.Sealed.Unreadable))
	}
	if got.Sealed.Old > 0 {
		findings = append(findings, odd("Restart daskbot once; it encrypts them anew.", "%d stored secrets are not encrypted with the current key.", got.Sealed.Old))
	}
	if skew := x.now().Sub(got.Now).Abs(); !got.Now.IsZero() && skew > maxSkew {
		findings = append(findings, ill(mendClock, "This machine's clock and the database's are %s apart.", skew.Round(time.Second)))
	}
	return findings
}

// unusable says what to do about a store that cannot be used.
func unusable(err error) finding {
	mend := "Check store.url: that the folder exists and this account may write it, or that the database server runs and knows the account."
	if environment.CodeOf(err) == environment.CodeForbidden {
		mend = "As an administrator of that database, with the account of store.url:\n" +
			"GRANT USAGE, CREATE ON SCHEMA public TO ACCOUNT;\n" +
			"Tables that another account made there belong to that one: use it in store.url, or REASSIGN OWNED BY OTHER TO ACCOUNT;"
	}
	return ill(mend, "The store cannot be used: %s", because(err))
}

func (x examined) secrets(context.Context) []finding {
	var findings []finding
	if x.cfg.Store.Key.IsZero() {
		findings = append(findings, odd("Make one with `openssl rand -hex 32` and give it as store.key; what is stored is encrypted at the next start.",
			"store.key is not set: stored passwords are protected by the database's access control alone."))
	}
	if x.cfg.Slack.Configured() && x.cfg.Slack.SigningSecret.IsZero() && x.cfg.Slack.AppToken.IsZero() {
		findings = append(findings, ill("Set slack.signingSecret, or slack.appToken for Socket Mode.", "Nothing that Slack sends could be believed."))
	}
	for name, source := range x.cfg.LMS.Sources {
		if source.Secret.IsZero() && source.PublicKeys == nil && source.JWKSURL == "" {
			findings = append(findings, ill("Set lms.sources."+name+".secret.", "Messages of %s could not be proved.", name))
		}
	}
	if f := adminToken(x.cfg.Auth.AdminTokenFile); f.Status != "" {
		findings = append(findings, f)
	}
	if len(findings) == 0 {
		findings = only(well("Every secret that is needed is set."))
	}
	return findings
}

// adminToken looks at the file of the first admin token.
func adminToken(path string) finding {
	if path == "" {
		return finding{}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if folder, err := os.Stat(filepath.Dir(path)); err == nil && !folder.IsDir() {
			return ill("Give auth.adminTokenFile a path in a folder.", "The admin token cannot be written to %s.", path)
		}
		return finding{}
	case err != nil:
		return ill("Let this account read it, or name another file in auth.adminTokenFile.", "The admin token cannot be read: %v.", err)
	case info.Mode().Perm()&0o077 != 0 && !mounted(path):
		return ill("chmod 600 "+path, "The admin token in %s can be read by others (mode %04o).", path, info.Mode().Perm())
	default:
		return finding{}
	}
}

// mounted says whether a file lies where nobody can write, as a Secret that a
// cluster mounts: who else reads it is decided by who is in the pod, its mode
// is the mount's, and chmod could not change it.
func mounted(path string) bool {
	var fs syscall.Statfs_t
	const readOnly = 1 // ST_RDONLY of Linux, and MNT_RDONLY elsewhere
	return syscall.Statfs(path, &fs) == nil && fs.Flags&readOnly != 0
}

// address asks whether people reach daskbot by the address it tells them.
func (x examined) address(ctx context.Context) []finding {
	external, err := url.Parse(x.cfg.Server.ExternalURL)
	if err != nil {
		return only(ill("Correct server.externalUrl.", "%v.", err))
	}
	const mend = "Point the name at daskbot's ingress, or correct server.externalUrl."
	if _, err := net.DefaultResolver.LookupHost(ctx, external.Hostname()); err != nil {
		return only(ill(mend, "The name %s cannot be found: %v.", external.Hostname(), err))
	}
	var findings []finding
	if external.Scheme != "https" && !isLoopback(external.Hostname()) {
		findings = append(findings, odd("Put it behind TLS and say so in server.externalUrl.", "%s is not encrypted: tokens and passwords go over the network as they are.", external))
	}
	body, status, err := x.get(ctx, strings.TrimRight(external.String(), "/")+"/healthz")
	switch {
	case err != nil:
		findings = append(findings, odd("Start daskbot, or check its ingress.", "Nothing answers at %s: %v.", external, err))
	case status != http.StatusOK || !strings.Contains(body, `"version"`):
		findings = append(findings, ill(mend, "%s answers %d, and is not daskbot.", external, status))
	default:
		findings = append(findings, well("daskbot answers at %s.", external))
	}
	return findings
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// pageLimit is more than any page has that the doctor reads.
const pageLimit = 1 << 20

// get reads a page.
func (x examined) get(ctx context.Context, address string) (body string, status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, err
	}
	answer, err := x.http.Do(r)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(io.LimitReader(answer.Body, pageLimit))
	return string(text), answer.StatusCode, err
}

func (x examined) slack(ctx context.Context) []finding {
	if !x.cfg.Slack.Configured() {
		return only(well("Slack is not configured."))
	}
	var findings []finding
	for _, f := range bot.Check(ctx, botConfig(x.cfg)) {
		if f.OK {
			findings = append(findings, well("%s", f.Sentence))
			continue
		}
		says, mend, _ := strings.Cut(f.Sentence, ". ")
		grave := ill
		if f.Later {
			grave = odd
		}
		findings = append(findings, grave(mend, "%s.", strings.TrimSuffix(says, ".")))
	}
	return findings
}

func (x examined) identity(ctx context.Context) []finding {
	issuer := x.cfg.Auth.OIDC.Issuer
	if issuer == "" {
		return only(well("No identity provider is configured."))
	}
	body, status, err := x.get(ctx, strings.TrimRight(issuer, "/")+"/.well-known/openid-configuration")
	if err == nil && (status != http.StatusOK || !strings.Contains(body, "jwks_uri")) {
		err = fmt.Errorf("status %d, and no description of an identity provider", status)
	}
	if err != nil {
		return only(ill("Correct auth.oidc.issuer, or let daskbot's network reach it.", "The identity provider at %s does not answer: %v.", issuer, err))
	}
	return only(well("The identity provider at %s answers.", issuer))
}

// oldPrices is when list prices are called old: providers change them a few
// times a year.
const oldPrices = 270 * 24 * time.Hour

func (x examined) prices(context.Context) []finding {
	asOf, err := time.Parse(time.DateOnly, x.cfg.Pricing.AsOf)
	switch {
	case x.cfg.Pricing.Refresh:
		return only(well("Prices are taken from the provider's catalog every day."))
	case err != nil:
		return only(odd("Give a date in pricing.asOf.", "It is not known of when the prices are."))
	case x.now().Sub(asOf) > oldPrices:
		return only(odd("Set pricing.refresh to true, or bring the prices under pricing up to date with their date in asOf.", "The prices are of %s: estimates and budgets may be wrong.", x.cfg.Pricing.AsOf))
	default:
		return only(well("The prices are of %s.", x.cfg.Pricing.AsOf))
	}
}
