// Package lint judges contracts: names, ownership, keys, retention, examples,
// consumers, personal data. [Check] runs every rule on a loaded catalogue.
//
// What keeps a folder from being used at all is not here; [contract.Load]
// refuses that. A rule here says that a contract works today and will hurt
// later, and its Why says how.
//
// A rule may be broken with leave: a waiver in waivers.yaml names the rule, the
// subject, who answers for it, why, and until when. Waivers are judged too: one
// that is expired, or that nothing needs any more, is a finding.
//
// Rules are pure: they read the catalogue and the day and nothing else, and the
// same catalogue gives the same findings in the same order on the same day.
// They are safe for concurrent use and do not fail.
package lint
