package lint

import (
	"slices"
	"strings"
	"unicode"
)

// verbs maps the imperative of verbs that names of commands begin with to the
// participle that the name of a fact ends with.
var verbs = map[string]string{
	"Accept": "Accepted", "Activate": "Activated", "Add": "Added", "Apply": "Applied", "Approve": "Approved",
	"Assign": "Assigned", "Begin": "Begun", "Book": "Booked", "Calculate": "Calculated", "Cancel": "Cancelled",
	"Capture": "Captured", "Change": "Changed", "Check": "Checked", "Close": "Closed", "Complete": "Completed",
	"Confirm": "Confirmed", "Create": "Created", "Deactivate": "Deactivated", "Delete": "Deleted", "Deliver": "Delivered",
	"Deny": "Denied", "Do": "Done", "Execute": "Executed", "Expire": "Expired", "Fail": "Failed", "Fetch": "Fetched",
	"Finalize": "Finalized", "Fulfil": "Fulfilled", "Fulfill": "Fulfilled", "Get": "Got", "Handle": "Handled",
	"Install": "Installed", "Make": "Made", "Modify": "Modified", "Move": "Moved", "Notify": "Notified", "Open": "Opened",
	"Pay": "Paid", "Perform": "Performed", "Place": "Placed", "Process": "Processed", "Publish": "Published",
	"Receive": "Received", "Recalculate": "Recalculated", "Register": "Registered", "Reject": "Rejected",
	"Release": "Released", "Remove": "Removed", "Reprice": "Repriced", "Request": "Requested", "Reserve": "Reserved",
	"Retire": "Retired", "Retry": "Retried", "Revise": "Revised", "Run": "Run", "Save": "Saved", "Schedule": "Scheduled",
	"Send": "Sent", "Set": "Set", "Ship": "Shipped", "Start": "Started", "Stop": "Stopped", "Submit": "Submitted",
	"Sync": "Synced", "Terminate": "Terminated", "Trigger": "Triggered", "Update": "Updated", "Upsert": "Upserted",
	"Validate": "Validated", "Verify": "Verified", "Waive": "Waived", "Withdraw": "Withdrawn", "Write": "Written",
}

// participles are those that do not end in "ed".
var participles = []string{
	"Begun", "Bought", "Bound", "Broken", "Brought", "Built", "Caught", "Chosen", "Cut", "Done", "Drawn", "Driven",
	"Fallen", "Found", "Frozen", "Given", "Gone", "Got", "Grown", "Held", "Hidden", "Hit", "Kept", "Known", "Left", "Lent",
	"Lost", "Made", "Met", "Overridden", "Overdue", "Paid", "Put", "Read", "Redriven", "Reset", "Rewritten", "Run", "Seen", "Sent",
	"Set", "Shown", "Shut", "Sold", "Spent", "Split", "Stolen", "Sunk", "Taken", "Told", "Thrown", "Undone", "Withdrawn",
	"Withheld", "Won", "Written",
}

// seeming end in "ed" and are no participles.
var seeming = []string{
	"Bed", "Breed", "Embed", "Exceed", "Feed", "Hundred", "Indeed", "Need", "Newsfeed", "Proceed", "Red", "Seed", "Speed",
	"Succeed", "Weed",
}

// splitWords splits a PascalCase or camelCase name.
func splitWords(name string) []string {
	var words []string
	start, runes := 0, []rune(name)
	for i := 1; i < len(runes); i++ {
		lowToHigh := unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1])
		endOfAcronym := unicode.IsUpper(runes[i]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if lowToHigh || endOfAcronym {
			words = append(words, string(runes[start:i]))
			start = i
		}
	}
	return append(words, string(runes[start:]))
}

func pastTense(word string) bool {
	if slices.Contains(participles, word) {
		return true
	}
	return strings.HasSuffix(word, "ed") && len(word) > 3 && !slices.Contains(seeming, word)
}

// states reports whether a name says that something happened to something: a
// participle after its subject.
func states(words []string) bool { return len(words) > 1 && slices.ContainsFunc(words[1:], pastTense) }

// commands reports whether a name tells somebody to do something.
func commands(words []string) bool { return verbs[words[0]] != "" && !states(words) }

// asFact turns the name of a command into that of the fact that follows.
func asFact(words []string) string {
	return strings.Join(words[1:], "") + verbs[words[0]]
}

// replies are last words of requests and responses.
var replies = []string{"Request", "Response", "Reply", "Query", "Command", "Answer", "Ack"}

func asks(words []string) bool { return slices.Contains(replies, words[len(words)-1]) }

// lastName is the field's own name at the end of its path.
func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func containsAny(text string, parts []string) string {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return part
		}
	}
	return ""
}
