package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"factline.dev/contract"
)

// Codes of the registry's errors.
const (
	codeNoSubject  = 40401
	codeNoVersion  = 40402
	codeNoSchema   = 40403
	codeBadVersion = 42202
	codeBadSchema  = 42201
	codeReadOnly   = 42205
)

const (
	mediaType = "application/vnd.schemaregistry.v1+json"
	// maxRequestBytes is far above the largest schema.
	maxRequestBytes = 8 << 20
)

// Handler serves the catalogue's schemas, read only, below the path where it is
// mounted (with [http.StripPrefix], where that is not the root):
//
//	GET  /subjects                              every subject
//	GET  /subjects/{subject}/versions           its versions
//	GET  /subjects/{subject}/versions/{version} one of them, or latest
//	GET  /subjects/{subject}/versions/{version}/schema
//	POST /subjects/{subject}                    is this schema registered?
//	GET  /schemas, /schemas/types
//	GET  /schemas/ids/{id}, .../schema, .../subjects, .../versions
//	GET  /config, /config/{subject}, /mode, /mode/{subject}
//	GET  /refs/{folder}/{type}/{version}        resolves schema://folder/type/version
//
// It fails where two schemas fall on one id by chance.
func Handler(c *contract.Catalogue) (http.Handler, error) {
	all, err := entries(c)
	if err != nil {
		return nil, err
	}
	s := &server{all: all, mux: http.NewServeMux()}
	for pattern, answer := range map[string]func(*http.Request) (any, error){
		"GET /subjects":                                     s.subjects,
		"GET /subjects/{subject}/versions":                  s.versions,
		"GET /subjects/{subject}/versions/{version}":        s.version,
		"GET /subjects/{subject}/versions/{version}/schema": s.versionText,
		"POST /subjects/{subject}":                          s.lookup,
		"GET /schemas":                                      s.schemas,
		"GET /schemas/types":                                func(*http.Request) (any, error) { return []string{schemaType}, nil },
		"GET /schemas/ids/{id}":                             s.byID,
		"GET /schemas/ids/{id}/schema":                      s.byIDText,
		"GET /schemas/ids/{id}/subjects":                    s.byIDSubjects,
		"GET /schemas/ids/{id}/versions":                    s.byIDVersions,
		"GET /config":                                       compatibility,
		"GET /config/{subject}":                             compatibility,
		"GET /mode":                                         mode,
		"GET /mode/{subject}":                               mode,
		"GET /refs/{folder}/{type}/{version}":               s.byRef,
		"GET /":                                             nothingHere,
		"/":                                                 readOnly,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			value, err := answer(r)
			respond(w, value, err)
		})
	}
	return s.mux, nil
}

type server struct {
	all []entry
	mux *http.ServeMux
}

// rawText is a schema that is answered as it is.
type rawText string

func respond(w http.ResponseWriter, value any, err error) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	if refusal, ok := errors.AsType[*refusal](err); ok {
		w.WriteHeader(refusal.Code / 100)
		value = refusal
	}
	if text, ok := value.(rawText); ok {
		_, _ = io.WriteString(w, string(text))
		return
	}
	_ = json.NewEncoder(w).Encode(value)
}

// refusal is an error as the registry writes it. Code begins with the status.
type refusal struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

// subjectVersion names one version of a subject.
type subjectVersion struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// schemaText is a schema with its type.
type schemaText struct {
	Schema string `json:"schema"`
	Type   string `json:"schemaType"`
}

// registered is a schema with all that the registry knows of it.
type registered struct {
	subjectVersion
	ID int `json:"id"`
	schemaText
}

func (e entry) registered() registered {
	return registered{subjectVersion{e.subject, e.version}, e.id, schemaText{e.text, schemaType}}
}

func (s *server) subjects(*http.Request) (any, error) {
	names := []string{}
	for _, e := range s.all {
		names = append(names, e.subject)
	}
	return slices.Compact(names), nil
}

func (s *server) of(subject string) ([]entry, error) {
	var found []entry
	for _, e := range s.all {
		if e.subject == subject {
			found = append(found, e)
		}
	}
	if found == nil {
		return nil, &refusal{codeNoSubject, "Subject not found. GET /subjects lists them: <topic>-<event type>."}
	}
	return found, nil
}

func (s *server) versions(r *http.Request) (any, error) {
	found, err := s.of(r.PathValue("subject"))
	numbers := []int{}
	for _, e := range found {
		numbers = append(numbers, e.version)
	}
	return numbers, err
}

func (s *server) entry(r *http.Request) (entry, error) {
	found, err := s.of(r.PathValue("subject"))
	if err != nil {
		return entry{}, err
	}
	text := r.PathValue("version")
	if text == "latest" || text == "-1" {
		return found[len(found)-1], nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return entry{}, &refusal{codeBadVersion, `The version must be a number from 1, or "latest".`}
	}
	for _, e := range found {
		if e.version == number {
			return e, nil
		}
	}
	return entry{}, &refusal{codeNoVersion, "Version not found. GET /subjects/<subject>/versions lists them."}
}

func (s *server) version(r *http.Request) (any, error) {
	e, err := s.entry(r)
	return e.registered(), err
}

func (s *server) versionText(r *http.Request) (any, error) {
	e, err := s.entry(r)
	return rawText(e.text), err
}

func (s *server) schemas(*http.Request) (any, error) {
	all := []registered{}
	for _, e := range s.all {
		all = append(all, e.registered())
	}
	return all, nil
}

func (s *server) withID(r *http.Request) ([]entry, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	var found []entry
	for _, e := range s.all {
		if err == nil && e.id == id {
			found = append(found, e)
		}
	}
	if found == nil {
		return nil, &refusal{codeNoSchema, "Schema not found. Ids are made of a schema's text; one that was changed has another."}
	}
	return found, nil
}

func (s *server) byID(r *http.Request) (any, error) {
	found, err := s.withID(r)
	if err != nil {
		return nil, err
	}
	return schemaText{found[0].text, schemaType}, nil
}

func (s *server) byIDText(r *http.Request) (any, error) {
	found, err := s.withID(r)
	if err != nil {
		return nil, err
	}
	return rawText(found[0].text), nil
}

func (s *server) byIDSubjects(r *http.Request) (any, error) {
	found, err := s.withID(r)
	names := []string{}
	for _, e := range found {
		names = append(names, e.subject)
	}
	return names, err
}

func (s *server) byIDVersions(r *http.Request) (any, error) {
	found, err := s.withID(r)
	pairs := []subjectVersion{}
	for _, e := range found {
		pairs = append(pairs, subjectVersion{e.subject, e.version})
	}
	return pairs, err
}

// lookup answers which version of the subject a schema is. White space and the
// order of members do not count.
func (s *server) lookup(r *http.Request) (any, error) {
	found, err := s.of(r.PathValue("subject"))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBytes+1))
	var asked schemaText
	if err != nil || len(body) > maxRequestBytes || json.Unmarshal(body, &asked) != nil {
		return nil, &refusal{codeBadSchema, `The body must be {"schema": "...", "schemaType": "JSON"} of at most 8 MiB.`}
	}
	wanted := canonical([]byte(asked.Schema))
	for _, e := range slices.Backward(found) {
		if wanted != nil && bytes.Equal(wanted, []byte(e.text)) {
			return e.registered(), nil
		}
	}
	return nil, &refusal{codeNoSchema, "Schema not found. The subject has no version with this text."}
}

// canonical writes JSON as [contract.Catalogue.Bundle] does, nil where text is
// none. Numbers are kept as they are written.
func canonical(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil || !errors.Is(decoder.Decode(&struct{}{}), io.EOF) {
		return nil
	}
	out, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return out
}

func (s *server) byRef(r *http.Request) (any, error) {
	ref := "schema://" + r.PathValue("folder") + "/" + r.PathValue("type") + "/" + r.PathValue("version")
	for _, e := range s.all {
		if e.ref == ref {
			return rawText(e.text), nil
		}
	}
	return nil, &refusal{codeNoSchema, "Schema not found. A reference schema://<folder>/<type>/<version> is read at /refs/<folder>/<type>/<version>."}
}

// compatibility is NONE because nothing is checked at registration here: what a
// change may be is decided where contracts are reviewed, before they are merged.
func compatibility(*http.Request) (any, error) {
	return map[string]string{"compatibilityLevel": "NONE"}, nil
}

func mode(*http.Request) (any, error) { return map[string]string{"mode": "READONLY"}, nil }

func nothingHere(*http.Request) (any, error) {
	return nil, &refusal{40400, "Nothing is here. GET /subjects lists what can be read."}
}

func readOnly(*http.Request) (any, error) {
	return nil, &refusal{codeReadOnly, "This registry is read only. Change the contracts folder and start again with it."}
}
