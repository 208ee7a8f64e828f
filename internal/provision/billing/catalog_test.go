package billing

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

type object = map[string]any

// sku is one as the catalog documents it. What is free at first is a tier of
// its own.
func sku(description, usage, unit, region string, usd float64) object {
	nanos := func(usd float64) object {
		return object{"currencyCode": "USD", "units": strconv.Itoa(int(usd)), "nanos": int64((usd - float64(int(usd))) * 1e9)}
	}
	return object{
		"skuId": "0000-0000-0000", "description": description, "serviceRegions": []string{region},
		"category": object{"resourceFamily": "Compute", "resourceGroup": "CPU", "usageType": usage},
		"pricingInfo": []object{{"effectiveTime": "2026-11-20T08:00:00.5Z", "pricingExpression": object{"usageUnit": unit,
			"tieredRates": []object{{"startUsageAmount": 0, "unitPrice": nanos(0)}, {"startUsageAmount": 1, "unitPrice": nanos(usd)}}}}},
	}
}

// catalogServer serves SKUs by service, two a page, and refuses whoever brings
// no token. It counts what it was asked.
type catalogServer struct {
	skus  map[string][]object
	fails string // a page token, or "first": that page fails
	asked int
}

func (s *catalogServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	service, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v1/"), "/skus")
	token := r.URL.Query().Get("pageToken")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case !ok || r.Header.Get("Authorization") != "Bearer t0ken" || r.URL.Query().Get("currencyCode") != "USD":
		w.WriteHeader(http.StatusUnauthorized)
		return
	case s.fails != "" && s.fails == token, s.fails == "first":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	from, _ := strconv.Atoi(token)
	all := s.skus[service]
	to := min(from+2, len(all))
	page := object{"skus": all[from:to]}
	if to < len(all) {
		page["nextPageToken"] = strconv.Itoa(to)
	}
	_ = json.NewEncoder(w).Encode(page)
}

func connect(t *testing.T, s *catalogServer, log *strings.Builder) *Client {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c, err := New(t.Context(), Config{Endpoint: web.URL, StaticToken: environment.NewSecret("t0ken"),
		Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// belgium is a catalog in which everything is a tenth dearer than the base, in
// the words that the catalog uses for that region, beside what must not be
// mistaken for it.
func belgium() map[string][]object {
	const region = "europe-west1"
	machines := []object{
		sku("Commitment v1: E2 Cpu in Belgium for 1 Year", "Commit1Yr", "h", region, 0.001),
		sku("E2 Instance Core running in Americas", "OnDemand", "h", "us-central1", 0.9),
		sku("E2 Custom Instance Core running in Belgium", "OnDemand", "h", region, 0.9),
		sku("N1 Predefined Instance Core running in Belgium", "OnDemand", "h", region, 0.034),
		sku("N1 Predefined Instance Ram running in Belgium", "OnDemand", "GiBy.h", region, 0.0047),
		sku("Storage PD Capacity in Belgium", "OnDemand", "GiBy.mo", region, 0.044),
		sku("Regional Storage PD Capacity in Belgium", "OnDemand", "GiBy.mo", region, 0.09),
		sku("Balanced PD Capacity in Belgium", "OnDemand", "GiBy.mo", region, 0.11),
		sku("External IP Charge on a Standard VM", "OnDemand", "h", "global", 0.0055),
		sku("External IP Charge on a Spot Preemptible VM", "OnDemand", "h", "global", 0.0025),
	}
	for i, family := range []string{"E2", "N2", "N2D AMD"} {
		f := 0.025 + float64(i)/1000
		machines = append(machines,
			sku(family+" Instance Core running in Belgium", "OnDemand", "h", region, f),
			sku(family+" Instance RAM in Belgium", "OnDemand", "GiBy.h", region, f/8),
			sku("Spot Preemptible "+family+" Instance Core running in Belgium", "Preemptible", "h", region, f/2),
			sku("Spot Preemptible "+family+" Instance Ram running in Belgium", "Preemptible", "GiBy.h", region, f/16))
	}
	return map[string][]object{
		computeEngine: machines,
		kubernetesEngine: {
			sku("Regional Kubernetes Clusters", "OnDemand", "h", "global", 0.2),
			sku("Zonal Kubernetes Clusters", "OnDemand", "h", "global", 0.11),
		},
		networking: {
			sku("Cloud Load Balancer Forwarding Rule Minimum Global", "OnDemand", "h", "global", 0.05),
			sku("Cloud Load Balancer Forwarding Rule Additional Belgium", "OnDemand", "h", region, 0.011),
			sku("Cloud Load Balancer Forwarding Rule Minimum Belgium", "OnDemand", "h", region, 0.0275),
		},
	}
}

// broken is belgium with something changed in one SKU of a service.
func broken(service, description string, change func(object)) map[string][]object {
	all := belgium()
	for _, s := range all[service] {
		if s["description"] == description {
			change(s)
			return all
		}
	}
	panic(fmt.Sprintf("no SKU %q", description))
}
