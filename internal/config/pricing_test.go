package config

import (
	"strings"
	"testing"
)

func TestPriceRegion(t *testing.T) {
	const own = minimal + "profiles: {default: x, define: {x: {extends: dask, cluster: {locations: ["
	for text, want := range map[string]string{
		own + "us-central1-b, us-east1-c]}}}}":                            "us-central1",
		own + "asia-southeast1]}}}}":                                      "asia-southeast1",
		own + "us-central1-b]}}}}\npricing: {region: southamerica-west1}": "southamerica-west1",
	} {
		c, err := Parse([]byte(text), "t.yaml")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.PriceRegion(); got != want {
			t.Errorf("%s: got %q; want %q", text, got, want)
		}
	}
}

func TestPricingIsChecked(t *testing.T) {
	_, err := Parse([]byte(minimal+"profiles: {default: x, define: {x: {title: x}}}\n"+
		"pricing: {refresh: true, asOf: today, balancedGbMonth: -1, machines: {n1-standard-1: -2, e2-medium: 0.1}, spot: {e2-medium: .nan}, endpoint: here}"), "t.yaml")
	for _, want := range []string{"pricing.asOf", "pricing.balancedGbMonth: -1 is not a price", "pricing.machines.n1-standard-1: -2 is not a price", "pricing.spot.e2-medium: NaN is not a price", `pricing.endpoint: "here" is not a URL`,
		"pricing.refresh: needs to know where"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %q", err, want)
		}
	}
}
