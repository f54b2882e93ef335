package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"factline.dev/cmd/factline/internal/gitfs"
	"factline.dev/contract"
	"factline.dev/contract/policy"
)

// againstFlags say what to compare with.
type againstFlags struct {
	ref string
	// isNew lets a folder pass that did not exist then.
	isNew bool
}

func (f *againstFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ref, "against", "", "the commit, branch or tag to compare with")
	cmd.Flags().BoolVar(&f.isNew, "new", false, "the folder may be one that did not exist then; nothing is compared")
}

// against is a contracts folder now and as it was at a commit.
type against struct {
	ref      string
	tree     gitfs.Tree
	old, now policy.State
}

// isNew says that the folder did not exist then.
func (a against) isNew() bool { return a.tree.Files == 0 }

func openAgainst(ctx context.Context, folder string, flags againstFlags) (against, error) {
	ref := flags.ref
	switch {
	case ref == "":
		return against{}, usagef("--against: it is missing; name the commit, branch or tag to compare with, such as origin/main")
	case folder == "":
		return against{}, usagef("--folder: it is missing; name a folder under version control, the built-in contracts have no history")
	}
	var catalogue *contract.Catalogue
	var broken error
	var loading sync.WaitGroup
	loading.Go(func() { catalogue, broken = loadContracts(folder) })
	tree, old, err := openTree(ctx, folder, ref)
	loading.Wait()
	switch {
	case broken != nil:
		return against{}, broken
	case errors.Is(err, gitfs.ErrNoRef):
		return against{}, usagef("--against: %w; fetch it first, a shallow clone has few", err)
	case errors.Is(err, gitfs.ErrNoRepository):
		return against{}, usagef("--folder: %w", err)
	case err != nil:
		return against{}, err
	}
	a := against{ref: ref, tree: tree, old: policy.State{FS: tree.FS, Catalogue: old}, now: policy.State{FS: os.DirFS(folder), Catalogue: catalogue}}
	if a.isNew() && !flags.isNew {
		return against{}, usagef("--folder: %s did not exist at %s, so that nothing can be compared; if it was moved, check before you move it; if it is new, add --new", folder, ref)
	}
	return a, nil
}

// openTree reads the folder as it was; the catalogue is nil where there was none.
func openTree(ctx context.Context, folder, ref string) (gitfs.Tree, *contract.Catalogue, error) {
	tree, err := gitfs.Open(ctx, folder, ref)
	if err != nil || tree.Files == 0 {
		return tree, nil, err
	}
	old, err := contract.Load(tree.FS)
	if err != nil {
		return tree, nil, fmt.Errorf("contracts: read %s as it was at %s: %w", folder, ref, err)
	}
	return tree, old, nil
}
