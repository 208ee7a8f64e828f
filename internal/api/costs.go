package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Costs are what environments cost, estimated from list prices; never a bill.
type Costs struct {
	By         string     `json:"by" enum:"owner,day,profile,course" example:"owner"`
	From       string     `json:"from" doc:"The first UTC day." example:"2026-11-01"`
	To         string     `json:"to" doc:"The UTC day after the last." example:"2026-12-01"`
	Items      []CostItem `json:"items" nullable:"false" doc:"Dearest first; days in their order."`
	USD        float64    `json:"usd" doc:"The sum of the items." example:"12.4"`
	SavedUSD   float64    `json:"savedUsd" doc:"What the environments that ended by themselves would have cost on top, left on until their owner's next one, at most until now." example:"88.1"`
	CreditUSD  float64    `json:"creditUsd" doc:"What the provider's free tier takes off the management fees of zonal clusters. It belongs to the billing account and is in no item; 0 unless an admin asks for all courses." example:"7.4"`
	PricesAsOf string     `json:"pricesAsOf" doc:"The date of the prices." example:"2026-07-30"`
}

// CostItem is one line of it.
type CostItem struct {
	Key          string  `json:"key" doc:"The owner, day, profile or course; empty for no course." example:"alice"`
	Environments int     `json:"environments" doc:"How many cost something." example:"3"`
	USD          float64 `json:"usd" example:"4.1"`
	SavedUSD     float64 `json:"savedUsd" example:"21.5"`
}

type costsInput struct {
	Course string `query:"course" maxLength:"63" doc:"Only this course's." example:"de-2026"`
	By     string `query:"by" default:"owner" enum:"owner,day,profile,course" doc:"What to add up by." example:"day"`
	From   string `query:"from" maxLength:"10" doc:"The first UTC day; the first of the month when left out." example:"2026-11-01"`
	To     string `query:"to" maxLength:"10" doc:"The UTC day after the last; tomorrow when left out." example:"2026-12-01"`
}

type costsOutput struct{ Body Costs }

func (s *Server) money() {
	add(s, huma.Operation{OperationID: "costs", Method: http.MethodGet, Path: "/costs", Tags: []string{"money"},
		Summary: "What environments cost, and what the reaper saved",
		Description: "Estimates from dated list prices, by UTC days. Students see their own, staff their courses', admins all. " +
			"Volumes that outlive a cluster and shared clusters that nobody uses are in no item."}, s.costs)
}

func (s *Server) costs(ctx context.Context, c call[costsInput]) (*costsOutput, error) {
	q := environment.CostQuery{Course: c.in.Course, By: environment.CostBy(c.in.By)}
	var err error
	if q.From, err = day("from", c.in.From); err != nil {
		return nil, err
	}
	if q.To, err = day("to", c.in.To); err != nil {
		return nil, err
	}
	r, err := s.service.Costs(ctx, c.who, q)
	if err != nil {
		return nil, err
	}
	out := Costs{By: string(r.By), From: r.From.Format(time.DateOnly), To: r.To.Format(time.DateOnly), Items: []CostItem{}, USD: rounded(r.USD),
		SavedUSD: rounded(r.SavedUSD), CreditUSD: rounded(r.CreditUSD), PricesAsOf: r.PricesAsOf}
	for _, i := range r.Items {
		out.Items = append(out.Items, CostItem{Key: i.Key, Environments: i.Environments, USD: rounded(i.USD), SavedUSD: rounded(i.SavedUSD)})
	}
	return &costsOutput{Body: out}, nil
}

// day reads a UTC day; the zero time for none.
func day(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, environment.Invalid(field, "This is not a day, for example \"2026-11-01\".")
	}
	return t, nil
}
