package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/stack"
)

// folderFlag is where a stack keeps its state.
func folderFlag(cmd *cobra.Command) *string {
	folder := cmd.Flags().String("folder", "", "folder of the stack (default /var/lib/factline as root, else ~/.local/state/factline)")
	environment(cmd.Flags(), "folder", "FACTLINE_FOLDER")
	return folder
}

// target is the platform a command looks at: the stack of a folder, or a
// database server and brokers that are named.
type target struct {
	folder   *string
	postgres string
	kafka    string
}

func targetFlags(cmd *cobra.Command) *target {
	t := &target{folder: folderFlag(cmd)}
	flags := cmd.Flags()
	flags.StringVar(&t.postgres, "postgres", "", "URL of the database server (default that of the stack)")
	environment(flags, "postgres", "FACTLINE_POSTGRES")
	flags.StringVar(&t.kafka, "kafka", "", "host:port[,host:port] of the brokers (default those of the stack)")
	environment(flags, "kafka", "FACTLINE_KAFKA")
	return t
}

// connect reaches the databases of the target.
func (a *app) connect(ctx context.Context, t *target) (*stack.Connection, error) {
	a.secrets.LearnURL(t.postgres)
	c, err := stack.Connect(ctx, stack.Target{Folder: *t.folder, Postgres: t.postgres, Kafka: addresses(t.kafka)})
	var none *stack.NotFoundError
	var down *stack.NotRunningError
	if errors.As(err, &none) || errors.As(err, &down) {
		return nil, failed(err, withFolder("up", *t.folder))
	}
	if err != nil {
		return nil, err
	}
	for _, url := range c.URLs() {
		a.secrets.LearnURL(url)
	}
	return c, nil
}

// withFolder repeats the folder in the command to type next.
func withFolder(command, folder string) string {
	if folder == "" {
		return command
	}
	return command + " --folder " + folder
}

func addresses(list string) []string {
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}
