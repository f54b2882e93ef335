package lint

import "strings"

// secret are parts of field names that credentials go by.
var secret = []string{"accesskey", "accesstoken", "apikey", "credential", "passphrase", "password", "privatekey", "refreshtoken", "secret", "sessiontoken"}

func secrets() Rule {
	return Rule{
		Name:  "secrets",
		Title: "No secrets in events",
		Why:   "Everyone who may read the topic, its dead letters or its archive has the secret, for as long as records are kept.",
		Good:  "credentialRef, the address of the secret in a vault",
		Bad:   "apiKey",
		check: checkSecrets,
	}
}

func checkSecrets(r *report) {
	for _, e := range r.current() {
		for _, f := range e.Fields() {
			name := strings.ToLower(lastName(f.Path))
			if looks := containsAny(name, secret); looks != "" && !strings.HasSuffix(name, "ref") && !strings.HasSuffix(name, "id") {
				r.add(e.SchemaFile(), e.Type, "has the field %s, which looks like a secret (%s); carry a reference to it", f.Path, looks)
			}
		}
	}
}
