package environment

import "testing"

// TestSetPrices: what is estimated afterwards is estimated at the new prices.
func TestSetPrices(t *testing.T) {
	s := NewService(ServiceConfig{})
	if got, want := s.listed().AsOf, ListPrices().AsOf; got != want {
		t.Errorf("without prices: those of %s; want the built-in ones of %s", got, want)
	}
	s.SetPrices(Prices{AsOf: "2026-11-20", Management: 1})
	if got := s.listed(); got.AsOf != "2026-11-20" || got.Management != 1 {
		t.Errorf("got %+v; want the ones set", got)
	}
}

func TestBalancedDisksHaveTheirOwnPrice(t *testing.T) {
	disk := Standing{Resource: Resource{Kind: KindDisk}, Type: "pd-balanced", GB: 730}
	for name, test := range map[string]struct {
		prices Prices
		want   float64
	}{
		"listed":  {Prices{DiskGBMonth: 0.04, BalancedGBMonth: 0.11}, 0.11},
		"derived": {Prices{DiskGBMonth: 0.04}, 0.10},
	} {
		if got := test.prices.ofStanding(disk); got < test.want-1e-9 || got > test.want+1e-9 {
			t.Errorf("%s: got %v an hour; want %v", name, got, test.want)
		}
	}
}
