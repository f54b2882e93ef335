package outbox

import (
	"slices"
	"sync"
)

// slab is the memory of one chunk: its rows, the bytes they point to, and what
// is noted of those that are out. A drain that took fresh memory for every
// chunk would have the kernel clear pages for a seventh of its time, so slabs
// are used again. Whoever gives one back says that nothing points into it any
// more.
type slab struct {
	rows   []outRow
	sent   []sentRow
	blocks [][]byte
	block  int // the one that is being filled
}

// Blocks grow from the first size to the last: most reads find a row or two.
const (
	firstBlockBytes = 8 << 10
	blockBytes      = 1 << 20
)

// copy keeps nil apart from empty: on the log they differ.
func (s *slab) copy(column []byte, room int) []byte {
	if column == nil {
		return nil
	}
	size := len(column) + room
	block := s.find(size)
	from := len(*block)
	*block = append(*block, column...)[:from+size]
	return (*block)[from : from+len(column) : from+size]
}

// find returns the first block from the current one on that has room.
func (s *slab) find(size int) *[]byte {
	for ; s.block < len(s.blocks); s.block++ {
		if b := &s.blocks[s.block]; size <= cap(*b)-len(*b) {
			return b
		}
	}
	grown := firstBlockBytes
	if s.block > 0 {
		grown = min(2*cap(s.blocks[s.block-1]), blockBytes)
	}
	s.blocks = append(s.blocks, make([]byte, 0, max(grown, size)))
	return &s.blocks[s.block]
}

func (s *slab) bytes() (total int) {
	for _, b := range s.blocks {
		total += cap(b)
	}
	return total
}

func (s *slab) reset() {
	s.rows, s.sent, s.block = s.rows[:0], s.sent[:0], 0
	for i := range s.blocks {
		s.blocks[i] = s.blocks[i][:0]
	}
}

// slabs are those that wait to be used again. There are never more than were in
// use at once. Safe for concurrent use: reads take them beside the loop.
type slabs struct {
	// maxBytes is the size above which a slab is not kept, 0 for any size.
	maxBytes int
	// given sees every slab that comes back. Tests spoil its bytes.
	given func(*slab)

	mu   sync.Mutex
	free []*slab
	made int // and not let go
	idle int // how many were free all the time since the last trim
}

func (p *slabs) take() *slab {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		p.made++
		return &slab{}
	}
	s := p.free[last]
	p.free = p.free[:last]
	p.idle = min(p.idle, last)
	return s
}

// give takes a slab back; nil is none.
func (p *slabs) give(s *slab) {
	if s == nil {
		return
	}
	if p.given != nil {
		p.given(s)
	}
	isKept := p.maxBytes <= 0 || s.bytes() <= p.maxBytes
	s.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isKept {
		p.made--
		return
	}
	p.free = append(p.free, s)
}

// trim lets go of the slabs that nobody needed since the last trim.
func (p *slabs) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made -= p.idle
	p.free = slices.Delete(p.free, 0, p.idle)
	p.idle = len(p.free)
}
