// A promise that was broken, found by a check.

/** One name for each rule that is checked: `docs/testing.md` says what each means. */
export type Rule =
  | 'answered_is_durable'
  | 'answers_agree'
  | 'answer_is_the_journals'
  | 'decided_once'
  | 'nothing_unasked'
  | 'real_time_order'
  | 'rules_decide_so'
  | 'time_goes_forward'
  | 'time_is_the_commands'
  | 'commits_follow_each_other'
  | 'one_writer_an_epoch'
  | 'chain_covers_the_rows'
  | 'detail_is_covered'
  | 'journal_adds_up'
  | 'nothing_is_lost_or_made'
  | 'whole_or_absent'
  | 'every_question_is_decided'
  | 'transit_is_empty'
  | 'one_business_date'
  | 'holds_end_once'
  | 'holds_end_in_time'
  | 'refunds_are_bounded'
  | 'coupons_are_bounded'
  | 'takings_are_bounded'
  | 'stored_is_replayed'
  | 'trimmed_is_committed'
  | 'quarantined_for_a_reason'
  | 'fails_for_a_reason'
  | 'answers_come'
  | 'every_command_is_answered'

export class Violation extends Error {
  readonly rule: Rule

  constructor(rule: Rule, detail: string) {
    super(`${rule}: ${detail}`)
    this.name = 'Violation'
    this.rule = rule
  }
}

export function broken(rule: Rule, detail: string): never {
  throw new Violation(rule, detail)
}
