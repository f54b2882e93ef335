package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"factline.dev/consumer"
)

// maxPattern keeps a long message from being more than its cause.
const maxPattern = 512

var (
	quotedPart = regexp.MustCompile("\"[^\"]*\"|'[^']*'|`[^`]*`")
	// numbered is a word with a digit in it: a number, an id, a time, an address.
	numbered = regexp.MustCompile(`[\pL\pN_.:+/@-]*\pN[\pL\pN_.:+/@-]*`)
	blanks   = regexp.MustCompile(`\s+`)
)

// Fingerprint is what errors of one cause have in common: a hash of the class
// and the first line of the message, without quoted parts, numbers, ids and
// whatever else holds a digit.
func Fingerprint(class consumer.Class, message string) string {
	sum := sha256.Sum256([]byte(string(class) + "\n" + pattern(message)))
	return hex.EncodeToString(sum[:8])
}

func pattern(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	if len(line) > 4*maxPattern {
		line = line[:4*maxPattern]
	}
	line = quotedPart.ReplaceAllString(strings.ToValidUTF8(line, "?"), "?")
	line = numbered.ReplaceAllString(line, "?")
	line = strings.TrimSpace(blanks.ReplaceAllString(line, " "))
	return strings.ToValidUTF8(line[:min(len(line), maxPattern)], "")
}
