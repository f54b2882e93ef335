package runbook

import "embed"

// Statements are the embedded SQL files, for the prepare test.
func Statements() embed.FS { return statements }
