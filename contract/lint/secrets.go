package lint

import (
	"strings"

	"factline.dev/contract"
)

// secret are parts of field names that credentials go by.
var secret = []string{"accesskey", "accesstoken", "apikey", "credential", "passphrase", "password", "privatekey", "refreshtoken", "secret", "sessiontoken"}

func secrets() Rule {
	return Rule{
		Name:  "secrets",
		Title: "No secrets in events",
		Why:   "Everyone who may read the topic, its dead letters or its archive has the secret, for as long as records are kept.",
		Good:  "credentialRef, the address of the secret in a vault",
		Bad:   "apiKey, or an example with a token in any field",
		check: checkSecrets,
	}
}

func checkSecrets(r *report) {
	for _, e := range r.current() {
		for _, f := range e.Fields() {
			name := strings.ToLower(lastName(f.Path))
			if looks := containsAny(name, secret); looks != "" && !strings.HasSuffix(name, "ref") && !strings.HasSuffix(name, "id") {
				r.field(e, f.Path, "has the field %s, which looks like a secret (%s); carry a reference to it", f.Path, looks)
			}
		}
		checkSecretValues(r, e)
	}
}

func checkSecretValues(r *report, e *contract.Event) {
	for _, x := range e.Examples {
		texts(e, x, func(path, value string, _ bool) {
			if looks := seems(value, secretLooks); looks != "" {
				r.add(x.File, e.Type, "holds %s in %s; take it out, and revoke it if it was ever real", looks, path)
			}
		})
	}
}
