// Package proxy stands between clients and one API server. It copies bytes
// and does nothing else, save what a scripted fault asks for: a delay before
// each burst a client sends, or a refusal to talk at all. It does not look
// inside TLS.
package proxy
