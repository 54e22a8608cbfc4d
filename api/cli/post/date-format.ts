// Dates as files write them, made `YYYY-MM-DD`. Two-digit years follow POSIX strptime: from the pivot (69) on 19YY, below it 20YY.
import { daysOfDate } from '../../../core/business-date.ts'

export type DateReader = (text: string) => string | undefined

/** `format`: YYYY or YY, MM and DD once each, anything else literally. Throws `RangeError` for another one. */
export function dateReaderOf(format: string, pivot: number): DateReader {
  const fields = format.match(/YYYY|YY|MM|DD/g) ?? []
  const kinds = fields.map((field) => (field === 'YYYY' ? 'YY' : field)).sort()
  if (kinds.join() !== 'DD,MM,YY') throw new RangeError('needs YYYY or YY, MM and DD, once each')
  const pattern = format
    .replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    .replace(/YYYY|YY|MM|DD/g, (field) => `(?<${field[0]}>[0-9]{${field.length}})`)
  const expression = new RegExp(`^${pattern}$`)
  return (text) => {
    const found = expression.exec(text)?.groups
    if (found === undefined) return undefined
    const { Y = '', M, D } = found
    const year = Y.length === 4 ? Y : `${Number(Y) >= pivot ? 19 : 20}${Y}`
    const date = `${year}-${M}-${D}`
    return daysOfDate(date) === undefined ? undefined : date
  }
}
