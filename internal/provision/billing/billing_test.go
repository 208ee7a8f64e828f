package billing

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daskbot/daskbot/internal/environment"
)

var cents = cmpopts.EquateApprox(0, 1e-6)

func TestPricesOfARegion(t *testing.T) {
	var log strings.Builder
	server := &catalogServer{skus: belgium()}
	base := environment.ListPrices()
	got, err := connect(t, server, &log).Prices(t.Context(), "europe-west1", base)
	if err != nil {
		t.Fatal(err)
	}
	want := environment.ListPrices()
	want.AsOf, want.Management, want.ForwardingRule, want.Address = "2026-11-20", 0.11, 0.0275, 0.0055
	want.DiskGBMonth, want.BalancedGBMonth = 0.044, 0.11
	want.Machines = map[string]float64{
		"e2-medium": 0.0375, "e2-standard-2": 0.075, "e2-standard-4": 0.15, "e2-highmem-2": 0.1,
		"n1-standard-1": 0.034 + 3.75*0.0047, "n1-standard-2": 2 * (0.034 + 3.75*0.0047), "n1-standard-4": 4 * (0.034 + 3.75*0.0047),
		"n2-standard-2": 0.078, "n2-standard-4": 0.156, "n2d-standard-4": 0.162,
	}
	for _, name := range []string{"e2-medium", "e2-standard-2", "e2-standard-4", "e2-highmem-2", "n2-standard-2", "n2-standard-4", "n2d-standard-4"} {
		want.Spot[name] = want.Machines[name] / 2 // N1 on Spot is not in the catalog
	}
	if diff := cmp.Diff(want, got, cents); diff != "" {
		t.Errorf("prices (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(environment.ListPrices(), base); diff != "" {
		t.Errorf("the base was changed:\n%s", diff)
	}
	if server.asked != 11+1+2 {
		t.Errorf("asked %d times; want every page of three services: 14", server.asked)
	}
	if !strings.Contains(log.String(), "n1-standard-1 (Spot)") || strings.Contains(log.String(), "WARN") {
		t.Errorf("the log does not tell just what was kept:\n%s", &log)
	}
}

func TestWhatIsNotBelieved(t *testing.T) {
	const core = "E2 Instance Core running in Belgium"
	info := func(o object) object { return o["pricingInfo"].([]object)[0] }
	expression := func(o object) object { return info(o)["pricingExpression"].(object) }
	usd := func(amount any) func(object) {
		return func(o object) {
			for _, tier := range expression(o)["tieredRates"].([]object) {
				tier["unitPrice"] = amount
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(object)
		warned bool
	}{
		"nothing":               {usd(object{"currencyCode": "USD"}), false},
		"less than nothing":     {usd(object{"currencyCode": "USD", "units": "-1"}), false},
		"much too dear":         {usd(object{"currencyCode": "USD", "units": "3"}), true},
		"another currency":      {usd(object{"currencyCode": "JPY", "nanos": 25000000}), false},
		"no amount":             {usd(nil), false},
		"another unit":          {func(o object) { expression(o)["usageUnit"] = "mo" }, false},
		"no expression":         {func(o object) { delete(info(o), "pricingExpression") }, false},
		"no date":               {func(o object) { info(o)["effectiveTime"] = "yesterday" }, false},
		"no prices":             {func(o object) { o["pricingInfo"] = []object{} }, false},
		"no category":           {func(o object) { delete(o, "category") }, false},
		"described differently": {func(o object) { o["description"] = "Something in Belgium" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			server := &catalogServer{skus: broken(computeEngine, core, tc.change)}
			base := environment.ListPrices()
			got, err := connect(t, server, &log).Prices(t.Context(), "europe-west1", base)
			if err != nil {
				t.Fatal(err)
			}
			if got.Machines["e2-standard-4"] != base.Machines["e2-standard-4"] {
				t.Errorf("e2-standard-4: got %v; want the base's %v", got.Machines["e2-standard-4"], base.Machines["e2-standard-4"])
			}
			if math.Abs(got.Machines["n2-standard-4"]-0.156) > 1e-6 {
				t.Errorf("n2-standard-4: got %v; want the catalog's 0.156", got.Machines["n2-standard-4"])
			}
			if warned := strings.Contains(log.String(), "level=WARN"); warned != tc.warned || !strings.Contains(log.String(), "e2-standard-4") {
				t.Errorf("warned: %v; want %v, naming the type:\n%s", warned, tc.warned, &log)
			}
		})
	}
}

func TestCatalogThatCannotBeUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		server *catalogServer
		region string
		want   environment.Code
	}{
		"unknown region": {&catalogServer{skus: belgium()}, "mars-north1", environment.CodeNotFound},
		"empty catalog":  {&catalogServer{}, "europe-west1", environment.CodeNotFound},
		"no answer":      {&catalogServer{fails: "first"}, "europe-west1", environment.CodeUnavailable},
		"half an answer": {&catalogServer{skus: belgium(), fails: "4"}, "europe-west1", environment.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			base := environment.ListPrices()
			got, err := connect(t, tc.server, &log).Prices(t.Context(), tc.region, base)
			if environment.CodeOf(err) != tc.want {
				t.Errorf("got %v; want code %s", err, tc.want)
			}
			if diff := cmp.Diff(base, got); diff != "" {
				t.Errorf("prices changed:\n%s", diff)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for machineType, want := range map[string][2]float64{
		"e2-medium": {1, 4}, "e2-micro": {0.25, 1}, "e2-standard-4": {4, 16}, "e2-highcpu-8": {8, 8}, "n1-standard-1": {1, 3.75},
		"n1-highmem-2": {2, 13}, "n2d-highmem-4": {4, 32},
		"n2-custom-4-8192": {}, "e2-standard-0": {}, "e2-standard-x": {}, "c3-standard-4": {}, "e2": {}, "": {},
	} {
		_, cores, gb, ok := size(machineType)
		if got := [2]float64{cores, gb}; got != want || ok != (want[0] > 0) {
			t.Errorf("%q: got %v, %v; want %v", machineType, got, ok, want)
		}
	}
}

// TestKeep is two days that begin with two failures.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 49*time.Hour)
		defer cancel()
		var log strings.Builder
		var asked, set []time.Duration
		start := time.Now()
		err := keep(ctx, slog.New(slog.NewTextHandler(&log, nil)),
			func(environment.Prices) { set = append(set, time.Since(start)) },
			func(context.Context) (environment.Prices, error) {
				asked = append(asked, time.Since(start))
				if len(asked) <= 2 {
					return environment.Prices{}, errors.New("no answer")
				}
				return environment.Prices{AsOf: "2026-11-20"}, nil
			})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want the context's error", err)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Hour, 2 * time.Hour, 26 * time.Hour}, asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(asked[2:], set); diff != "" {
			t.Errorf("set (-want +got):\n%s", diff)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d failures logged; want the first of a row:\n%s", n, &log)
		}
	})
}
