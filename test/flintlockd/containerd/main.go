// A containerd for the tests with a flintlockd: it holds images and snapshots, runs nothing, and its snapshotter "devmapper",
// the only one that a flintlockd gives microVMs disks of, keeps a file for each snapshot. So a kernel without device-mapper
// will do, and no thin pool is left behind.
package main

import (
	"fmt"
	"os"

	"github.com/containerd/containerd/cmd/containerd/command"
	"github.com/containerd/containerd/plugin"
	"github.com/containerd/containerd/snapshots/blockfile"

	_ "github.com/containerd/containerd/diff/walking/plugin"
	_ "github.com/containerd/containerd/events/plugin"
	_ "github.com/containerd/containerd/gc/scheduler"
	_ "github.com/containerd/containerd/leases/plugin"
	_ "github.com/containerd/containerd/metadata/plugin"
	_ "github.com/containerd/containerd/services/content"
	_ "github.com/containerd/containerd/services/diff"
	_ "github.com/containerd/containerd/services/events"
	_ "github.com/containerd/containerd/services/healthcheck"
	_ "github.com/containerd/containerd/services/images"
	_ "github.com/containerd/containerd/services/introspection"
	_ "github.com/containerd/containerd/services/leases"
	_ "github.com/containerd/containerd/services/namespaces"
	_ "github.com/containerd/containerd/services/snapshots"
	_ "github.com/containerd/containerd/services/version"
	_ "github.com/containerd/containerd/services/warning"
	_ "github.com/containerd/containerd/snapshots/native/plugin"
)

type blockFiles struct {
	// An empty ext4 file system, which every image's disk begins as a copy of.
	ScratchFile string `toml:"scratch_file"`
}

func init() {
	plugin.Register(&plugin.Registration{
		Type:   plugin.SnapshotPlugin,
		ID:     "devmapper",
		Config: &blockFiles{},
		InitFn: func(context *plugin.InitContext) (interface{}, error) {
			config := context.Config.(*blockFiles)
			return blockfile.NewSnapshotter(context.Root, blockfile.WithScratchFile(config.ScratchFile))
		},
	})
}

func main() {
	if err := command.App().Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
