package scaffold

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"factline.dev/contract"
)

// TopicConfig is what is said about a new topic.
type TopicConfig struct {
	Config
	// Name is the topic's, such as post.parcel.events.v1. Required.
	Name string
	// Owner is the service that produces it. Required.
	Owner string
	// Key is the payload field that keys its records. Required.
	Key string
	// Description, BusinessOwner and TechnicalOwner default to a mark for the author,
	// TechnicalOwner to the team of Owner before that.
	Description, BusinessOwner, TechnicalOwner string
	// Category and Visibility default to domain and public.
	Category, Visibility string
	// RetentionDays is how long records are kept, in days. Default 365. A topic of
	// category current-state keeps the latest record of each key instead.
	RetentionDays int
	// Archive says that records are also kept in the archive. Default false.
	Archive bool
	// Classification is low, medium or high. Default medium.
	Classification string
}

// WithDefaults returns the config that is drafted.
func (t TopicConfig) WithDefaults() TopicConfig {
	t.Description = cmp.Or(t.Description, todo("say in a sentence what stands on the topic"))
	t.BusinessOwner = cmp.Or(t.BusinessOwner, todo("say who in the business answers for it"))
	t.TechnicalOwner = cmp.Or(t.TechnicalOwner, todo("say which team answers for it"))
	t.Category, t.Visibility = cmp.Or(t.Category, "domain"), cmp.Or(t.Visibility, "public")
	t.RetentionDays = cmp.Or(t.RetentionDays, 365)
	t.Classification = cmp.Or(t.Classification, "medium")
	return t
}

// Compacted says that the topic keeps the latest record of each key.
func (t TopicConfig) Compacted() bool { return t.Category == "current-state" }

// RetentionMs is [TopicConfig.RetentionDays] in milliseconds.
func (t TopicConfig) RetentionMs() int64 { return int64(t.RetentionDays) * 24 * 60 * 60 * 1000 }

// topicName keeps a name from leading out of the folder; package lint judges it.
var topicName = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$`)

var word = regexp.MustCompile(`^[a-z-]{1,30}$`)

const maxRetentionDays = 100 * 366

func (t TopicConfig) validate() error {
	switch {
	case !topicName.MatchString(t.Name) || len(t.Name) > 200:
		return fmt.Errorf("scaffold: draft the topic %q: it is no name of one; write <domain>.<area>.<kind>.v<N> in lower case, as in post.parcel.events.v1", t.Name)
	case t.Owner == "":
		return fmt.Errorf("scaffold: draft the topic %s: it has no owner; name the service that produces it", t.Name)
	case !fieldName.MatchString(t.Key):
		return fmt.Errorf("scaffold: draft the topic %s: the key %q is no field of a payload; name the one whose events are read in order, as in parcelId", t.Name, t.Key)
	case !word.MatchString(t.Category) || !word.MatchString(t.Visibility) || !word.MatchString(t.Classification):
		return fmt.Errorf("scaffold: draft the topic %s: category %q, visibility %q and classification %q are one word each", t.Name, t.Category, t.Visibility, t.Classification)
	case t.RetentionDays < 1 || t.RetentionDays > maxRetentionDays:
		return fmt.Errorf("scaffold: draft the topic %s: %d days are no retention; say 1 to %d", t.Name, t.RetentionDays, maxRetentionDays)
	}
	return nil
}

// Topic drafts a topic, with services.yaml where the folder has none.
func Topic(t TopicConfig) (Draft, error) {
	d, err := newDesk(t.Config)
	if err != nil {
		return Draft{}, err
	}
	if err := d.topic(&t); err != nil {
		return Draft{}, err
	}
	if err := d.services(t.Owner, t.Name, "", nil); err != nil {
		return Draft{}, err
	}
	return d.finish(t.Name)
}

func (d *desk) topic(t *TopicConfig) error {
	if s, known := d.catalogue.Service(t.Owner); known {
		t.TechnicalOwner = cmp.Or(t.TechnicalOwner, s.Team)
	}
	*t = t.WithDefaults()
	if err := t.validate(); err != nil {
		return err
	}
	if err := d.service(t.Owner); err != nil {
		return err
	}
	for _, other := range d.catalogue.Topics() {
		if strings.EqualFold(other.Name, t.Name) {
			return fmt.Errorf("scaffold: draft the topic %s: %s is there already and is not overwritten; take another name or edit it", t.Name, other.File())
		}
	}
	return d.file(topicFile(t.Name), "topic.yaml", t)
}

// retentionWords say how long the events of a topic can be read back.
func retentionWords(t *contract.Topic) string {
	words := fmt.Sprintf("%d days", t.RetentionMs/(24*60*60*1000))
	if t.RetentionMs == 0 {
		words = "the latest of each key"
	}
	if t.Archive {
		words += " plus archive"
	}
	return words
}
