import { Command } from 'commander'
import { realClock } from '../lib/clock.ts'
import { IsobarError } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { withDatabase } from './database.ts'
import { addCommand, switchCommands } from './devices-access.ts'
import { importCommand } from './devices-import.ts'
import { commandCommand, configureCommand } from './devices-request.ts'
import { formatOf, printLines, printTable, withFormatOptions, type FormatOptions } from './output.ts'
import { endsPlacement, parsePlacement, type Placement } from './placement.ts'
import { listDevices, listedColumns, storePlacements } from './placement-store.ts'

/** `isobar devices`: lists devices and says where they hang. */
export function devicesCommand (): Command {
  const devices = new Command('devices')
    .summary('list devices, say where they hang, set and command them')
    .helpCommand(false)
    .description('List the devices, say where they hang (a placement holds for readings from its time on), and set or command those that run isobar device.')
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(setCommand())
    .addCommand(importCommand())
    .addCommand(addCommand())
    .addCommand(configureCommand())
    .addCommand(commandCommand())
    .addHelpText('after', help)
  for (const command of switchCommands()) devices.addCommand(command)
  return devices
}

const help = `
Readings get site, room and altitude from the placement that was valid at their
own time; a running gateway sees a new one within 10 s. Readings that are stored
already keep what they have; the view readings_placed shows all of them with the
placements as they are now.

Examples:
  isobar devices list
  isobar devices set pi-attic --site home --room attic --altitude 312
  isobar devices import placements.csv

Exit codes: 0 done, 1 an error, 2 wrong usage.`

function listCommand (): Command {
  return withFormatOptions(new Command('list'))
    .summary('list every device that was heard or placed')
    .description('List every device that was heard or placed: its state, where it hangs now, and its books.')
    .allowExcessArguments() // of an unknown command, which arrives here since list is the default
    .addHelpText('after', `
stored, dead and pending are readings. A device without a placement is listed
too; its readings are stored without one.

Examples:
  isobar devices list
  isobar devices list --json

Exit codes: 0 done, 1 an error, 2 wrong usage.`)
    .action(async (options: FormatOptions, { args }: Command) => {
      if (args.length > 0) throw new IsobarError('ISO_CLI_USAGE', { detail: `unknown command "${args[0]}"; isobar devices --help lists what there is` })
      const rows = await withDatabase(loadSettings(), async database => await listDevices(database, realClock.now()))
      await printTable({ columns: listedColumns, rows: rows.map(row => listedColumns.map(column => row[column])) }, formatOf(options))
      const unplaced = rows.filter(({ site, room, altitude_m: altitudeM }) => site === null && room === null && altitudeM === null).length
      if (unplaced > 0) process.stderr.write(`${unplaced} without a placement; give one with: isobar devices set <id> --site … --room … --altitude …\n`)
    })
}

interface SetOptions {
  readonly site?: string
  readonly room?: string
  readonly altitude?: string
  readonly latitude?: string
  readonly longitude?: string
  readonly label?: readonly string[]
  readonly from?: string
  readonly end?: true
}

function setCommand (): Command {
  return new Command('set')
    .summary('say where a device hangs')
    .description('Say where a device hangs from now on, or from a given time on.')
    .argument('<id>', 'id of the device; it need not have been heard yet')
    .option('--site <name>', 'the building, the house')
    .option('--room <name>', 'where in it')
    .option('--altitude <metres>', 'above sea level')
    .option('--latitude <degrees>', 'north is positive')
    .option('--longitude <degrees>', 'east is positive')
    .option('--label <key=value>', 'anything else; may be repeated', (pair: string, pairs: readonly string[] = []) => [...pairs, pair])
    .option('--from <time>', 'since when: 2026-03-01, or 2026-03-01T12:00:00Z (default: now)')
    .option('--end', 'the device hangs nowhere from then on')
    .addHelpText('after', `
The placement is taken as a whole: what is not given is not known, also when an
earlier placement had it. It holds until the next one of the same device; one
with the same --from replaces it.

Examples:
  isobar devices set pi-attic --site home --room attic --altitude 312
  isobar devices set pi-attic --room cellar --from 2026-03-01 --label floor=-1
  isobar devices set pi-attic --end

Exit codes: 0 written, 1 an error, 2 wrong usage.`)
    .action(async (id: string, options: SetOptions) => {
      const placement = placementOf(id, options)
      await withDatabase(loadSettings(), async database => await storePlacements(database, [placement]))
      await printLines([describe(placement)])
    })
}

function placementOf (id: string, { site, room, altitude, latitude, longitude, label, from, end }: SetOptions): Placement {
  const parsed = parsePlacement({ device_id: id, valid_from: from, site, room, altitude_m: altitude, latitude, longitude, labels: label?.join(';') }, realClock.now())
  if (!parsed.ok) throw new IsobarError('ISO_CLI_USAGE', { detail: parsed.faults.join('; ') })
  const isEmpty = endsPlacement(parsed.placement)
  if (isEmpty && end === undefined) throw new IsobarError('ISO_CLI_USAGE', { detail: 'no place was given; give --site, --room or --altitude, or --end when the device hangs nowhere any more' })
  if (!isEmpty && end === true) throw new IsobarError('ISO_CLI_USAGE', { detail: '--end goes without a place' })
  return parsed.placement
}

function describe (placement: Placement): string {
  const { deviceId, validFrom, site, room, altitudeM } = placement
  const from = new Date(validFrom).toISOString()
  if (endsPlacement(placement)) return `${deviceId} hangs nowhere from ${from} on.`
  const place = [room, site, altitudeM === null ? null : `${altitudeM} m`].filter(part => part !== null)
  return `${deviceId} hangs${place.length === 0 ? '' : ` in ${place.join(', ')}`} from ${from} on.`
}
