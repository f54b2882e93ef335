package deadletter

// Statements returns every embedded statement by name.
func Statements() map[string]string {
	all := make(map[string]string)
	entries, _ := statements.ReadDir("sql")
	for _, e := range entries {
		text, _ := statements.ReadFile("sql/" + e.Name())
		all[e.Name()] = string(text)
	}
	return all
}
