package environment

// SetPrices replaces the list prices that estimates are made from. What was
// booked at earlier prices stays booked. The maps are not copied; the caller
// does not change them afterwards. It is safe beside any other call.
func (s *Service) SetPrices(p Prices) { s.prices.Store(&p) }

// listed are the list prices of now.
func (s *Service) listed() Prices { return *s.prices.Load() }
