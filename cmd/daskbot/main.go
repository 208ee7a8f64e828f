package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/daskbot/daskbot/cmd/daskbot/client"
)

func main() {
	// Nobody can ask for it here, and the stacks that it keeps grow for days.
	runtime.MemProfileRate = 0
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal gets its default effect
	w := realWorld()
	os.Exit(client.Execute(ctx, newRoot(w), os.Args[1:], w))
}
