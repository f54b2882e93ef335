package wire

import "slices"

// MaxFields is the largest number of declared fields of one object.
const MaxFields = 256

// Object is an object that is being read, member by member.
type Object struct {
	r     *Reader
	name  []byte
	count int
	ended bool
	seen  [MaxFields / 64]uint64
	// open is where the object's undeclared names begin in the reader's; many
	// takes over where comparing each with each would cost too much.
	open int
	many map[string]struct{}
}

// Object begins an object.
func (r *Reader) Object() Object {
	o := Object{r: r, open: len(r.unknown), ended: true}
	if r.scan.Next() != '{' {
		r.mismatch("object")
		return o
	}
	o.ended = !r.enter()
	return o
}

// Next goes to the value of the next member. It reports false at the end and
// after a fault.
func (o *Object) Next() bool {
	if o.ended {
		return false
	}
	s := &o.r.scan
	c := s.Next()
	if c == '}' {
		s.At++
		o.leave()
		return false
	}
	if o.count > 0 && c == ',' {
		s.At++
		c = s.Next()
	} else if o.count > 0 {
		return o.broken()
	}
	if c != '"' {
		return o.broken()
	}
	from := s.At + 1
	escaped, ok := s.PassString()
	if !ok {
		return o.broken()
	}
	at := span{int32(from), int32(s.At - 1)} //nolint:gosec // a text is at most MaxBytes long
	o.r.path[len(o.r.path)-1] = step{span: at}
	o.name = s.Text[at.from:at.to]
	if escaped {
		o.name = []byte(s.Unescape(from - 1))
	}
	if !s.Take(':') {
		return o.broken()
	}
	o.count++
	return true
}

func (o *Object) broken() bool {
	o.r.syntax(InvalidJSON)
	o.ended = true
	return false
}

func (o *Object) leave() {
	o.ended = true
	o.r.leave()
	o.r.unknown = o.r.unknown[:o.open]
}

// Name is the name of the member, valid until the next.
func (o *Object) Name() []byte { return o.name }

// Field says that the member is a declared one, by its number below [MaxFields].
// A second one of the same number is a fault.
func (o *Object) Field(number uint) {
	word, bit := number/64, uint64(1)<<(number%64)
	if o.seen[word]&bit != 0 {
		o.twice()
	}
	o.seen[word] |= bit
}

//go:noinline // so that Field is inlined, which is called for every member
func (o *Object) twice() { o.r.syntax("has the same name twice in an object") }

// Skip passes a member that no schema declares.
func (o *Object) Skip() {
	o.undeclared()
	o.r.skip()
}

// Refuse refuses a member that no schema declares.
func (o *Object) Refuse() {
	o.undeclared()
	if o.r.skip(); o.r.ok() {
		o.r.Fail("is a field that is not allowed")
	}
}

// manyNames is how many undeclared names are compared with each other.
const manyNames = 32

// undeclared remembers the name of the member, which must be new.
func (o *Object) undeclared() {
	step := &o.r.path[len(o.r.path)-1]
	step.kind = inUndeclared
	plain := len(o.name) == int(step.to-step.from) // an escape is longer than what it spells
	if o.many == nil && plain && len(o.r.unknown)-o.open < manyNames {
		for _, other := range o.r.unknown[o.open:] {
			if string(o.r.scan.Text[other.from:other.to]) == string(o.name) {
				o.twice()
			}
		}
		o.r.unknown = append(o.r.unknown, step.span)
		return
	}
	if o.many == nil {
		o.many = map[string]struct{}{}
		for _, other := range o.r.unknown[o.open:] {
			o.many[string(o.r.scan.Text[other.from:other.to])] = struct{}{}
		}
	}
	if _, ok := o.many[string(o.name)]; ok {
		o.twice()
	}
	o.many[string(o.name)] = struct{}{}
}

// End checks, behind the last member, that those are there that are required. They
// have the numbers from 0 in this order.
func (o *Object) End(required ...string) {
	for number, name := range required {
		if o.seen[number/64]&(1<<(number%64)) == 0 {
			o.r.failAt(name, "is required")
		}
	}
}

// Count checks, behind the last member, how many there were.
func (o *Object) Count(rule *Count) { o.r.failUnless(rule.fault(o.count, "fields")) }

// List reads an array.
func List[T any](r *Reader, rule *Count, read func(*Reader) T) []T {
	all := []T{}
	n := r.elements(func() { all = append(all, read(r)) })
	r.failUnless(rule.fault(n, "elements"))
	return all
}

// Set reads an array in which no string stands twice.
func Set[T ~string](r *Reader, rule *Count, read func(*Reader) T) []T {
	all := List(r, rule, read)
	sorted := slices.Sorted(slices.Values(all))
	if len(slices.Compact(sorted)) < len(all) {
		r.Fail("has the same element twice")
	}
	return all
}

func (r *Reader) elements(element func()) (n int) {
	if r.scan.Next() != '[' {
		r.mismatch("array")
		return 0
	}
	if !r.enter() {
		return 0
	}
	for closed := r.scan.Take(']'); !closed; n++ {
		r.path[len(r.path)-1] = step{span: span{from: int32(n)}, kind: inElement} //nolint:gosec // a text is at most MaxBytes long
		if element(); !r.ok() {
			return n
		}
		if closed = r.scan.Take(']'); !closed && !r.scan.Take(',') {
			r.syntax(InvalidJSON)
			return n
		}
	}
	r.leave()
	return n
}

// Map reads an object whose names no schema declares.
func Map[T any](r *Reader, rule *Count, read func(*Reader) T) map[string]T {
	all := map[string]T{}
	o := r.Object()
	for o.Next() {
		name := r.kept(int(r.path[len(r.path)-1].from), o.Name())
		if _, twice := all[name]; twice {
			o.twice()
		}
		r.path[len(r.path)-1].kind = inUndeclared
		all[name] = read(r)
	}
	o.Count(rule)
	return all
}
