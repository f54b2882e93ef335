package prove

import "context"

// judgeAll looks once more at everything together, and replays over all that
// happened: repeated records, dead letters, a skip, and four deaths.
func (s *slice) judgeAll(ctx context.Context, out *outcome) error {
	h, err := s.settleAndRecord(ctx, out)
	if err != nil {
		return err
	}
	if err := s.save(h); err != nil {
		return err
	}
	for _, k := range h.Kills {
		out.saw("process %d died %s of event %s, %d times on the log in the end", k.PID, k.Point, k.EventID, k.Occurrences)
	}
	s.judge(h, out)
	return s.replayAll(ctx, out)
}
