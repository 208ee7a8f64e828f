package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal gets its default effect
	w := realWorld()
	os.Exit(client.Execute(ctx, newRoot(w), os.Args[1:], w))
}
