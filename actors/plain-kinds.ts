// The numbers that plain records, rows of the journal and commands share.
export const plainKinds: Readonly<Record<number, 'debit' | 'credit' | 'transfer'>> = {
  1: 'debit',
  2: 'credit',
  3: 'transfer',
}
