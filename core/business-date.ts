// Business dates: days since 1970-01-01 inside, `YYYY-MM-DD` outside, and which day a time falls on in the ledger's time zone. Which
// dates are open is not decided here.

const dayMs = 86_400_000
/** Since 1972 the offset of every zone is a whole number of minutes: within an aligned minute the date cannot change. */
const minuteMs = 60_000

/** The days of years 1 to 9999, which four digits can write. */
export const dateMin = -719_162
export const dateMax = 2_932_896

const digitsAt = (text: string, from: number, to: number): number => {
  let value = 0
  for (let index = from; index < to; index++) {
    const digit = text.charCodeAt(index) - 48
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

/** Days of a real calendar date `YYYY-MM-DD`, years 0001-9999; undefined for anything else. */
export function daysOfDate(text: string): number | undefined {
  if (text.length !== 10 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined
  const year = digitsAt(text, 0, 4)
  const month = digitsAt(text, 5, 7)
  const day = digitsAt(text, 8, 10)
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1)) return undefined
  if (day > (month === 2 && isLeap(year) ? 29 : (monthDays[month - 1] ?? 0))) return undefined
  return daysOfCivil(year, month, day)
}

/** Proleptic Gregorian, by Howard Hinnant's `days_from_civil` (https://howardhinnant.github.io/date_algorithms.html), for years from 1. */
function daysOfCivil(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** `YYYY-MM-DD`. Throws RangeError outside the years 0001-9999. */
export function dateText(days: number): string {
  if (!(Number.isInteger(days) && days >= dateMin && days <= dateMax))
    throw new RangeError(`not a day of the years 0001-9999: ${days}`)
  return new Date(days * dayMs).toISOString().slice(0, 10)
}

/**
 * The calendar of a time zone: epoch milliseconds -> days since 1970-01-01 there. UTC by arithmetic; other zones by Intl once a minute of
 * command time (about 2 us), a compare otherwise. Throws RangeError for a zone that Intl does not know.
 */
export function calendarOf(timeZone: string): (atMs: number) => number {
  const format = formatOf(timeZone)
  if (format.resolvedOptions().timeZone === 'UTC') return (atMs) => Math.floor(atMs / dayMs)
  let from = Number.NaN
  let days = 0
  return (atMs) => {
    if (atMs >= from && atMs < from + minuteMs) return days
    days = daysIn(format, atMs)
    from = Math.floor(atMs / minuteMs) * minuteMs
    return days
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', {
      timeZone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
    })
  } catch (cause) {
    throw new RangeError(
      `unknown time zone: ${JSON.stringify(timeZone)} (a name of the IANA database is expected, such as Asia/Shanghai)`,
      {
        cause,
      },
    )
  }
}

function daysIn(format: Intl.DateTimeFormat, atMs: number): number {
  let year = 0
  let month = 0
  let day = 0
  for (const part of format.formatToParts(atMs)) {
    if (part.type === 'year') year = Number(part.value)
    else if (part.type === 'month') month = Number(part.value)
    else if (part.type === 'day') day = Number(part.value)
  }
  return daysOfCivil(year, month, day)
}
