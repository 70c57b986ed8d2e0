import type { SqliteDatabase } from '@keelson/sqlite'
import { number, print } from '../terminal.ts'

/**
 * Gives each ZIP code without an airport the nearest one within a radius. The index on latitude finds the airports in a
 * box of that size, the haversine formula measures them. ZIP codes that share their point with others, often the middle
 * of a county, are left out: nobody knows where in the county they are.
 */
const nearestAirport = `
  with radius (km) as (values (?))
  update zip set (airport, km) = (
    select iata, 2 * 6371 * asin(sqrt(
      pow(sin(radians(a.latitude - zip.latitude) / 2), 2) +
      pow(sin(radians(a.longitude - zip.longitude) / 2), 2) *
        cos(radians(a.latitude)) * cos(radians(zip.latitude)))) as distance
    from airport a, radius
    where a.latitude between zip.latitude - radius.km / 111 and zip.latitude + radius.km / 111
      and abs(a.longitude - zip.longitude) <= radius.km / 111 / cos(radians(zip.latitude))
      and distance <= radius.km
    order by distance limit 1)
  where airport is null and (latitude, longitude) in (
    select latitude, longitude from zip group by latitude, longitude having count(*) = 1)`

export async function relateAirports(database: SqliteDatabase): Promise<void> {
  // A small box serves nearly all; the few that are left search a large one.
  await database.execute(nearestAirport, [50])
  await database.execute(nearestAirport, [1000])

  const { rows } = await database.execute<Record<'near' | 'far' | 'none', number>>(
    `select count(*) filter (where km <= 50) as near,
            count(*) filter (where km > 50) as far,
            count(*) filter (where km is null) as none
     from zip`,
  )
  const { near, far, none } = rows[0]!
  print(
    `${number(near)} ZIP codes have an airport within 50 km, ${number(far)} farther away; ${number(none)} left out`,
  )
}
