import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { realClock } from '../lib/clock.ts'
import { IsobarError, textOf } from '../lib/errors.ts'
import { loadSettings } from '../schemas/settings.ts'
import { csvRecords } from './csv.ts'
import { withDatabase } from './database.ts'
import { printable } from './escape.ts'
import { printLines } from './output.ts'
import { parsePlacement, placementColumns, type Placement, type PlacementColumn, type PlacementTexts } from './placement.ts'
import { storePlacements } from './placement-store.ts'

/** `isobar devices import`: placements from a CSV file, all or none. */
export function importCommand (): Command {
  return new Command('import')
    .summary('add the placements of a CSV file')
    .description('Add the placements of a CSV file. All lines are checked first; when one is faulty, every fault is told and nothing is written.')
    .argument('<file>', 'CSV in UTF-8 with a header')
    .addHelpText('after', help)
    .action(async (file: string) => {
      const settings = loadSettings()
      const { placements, faults } = parsePlacements(await readCsv(file), realClock.now())
      for (const fault of faults) process.stderr.write(`${printable(file)}: ${printable(fault)}\n`)
      if (faults.length > 0) throw new IsobarError('ISO_IMPORT_INVALID', { detail: `${file}, ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}` })
      await withDatabase(settings, async database => await storePlacements(database, placements, showProgress(placements.length)))
      const devices = new Set(placements.map(({ deviceId }) => deviceId)).size
      await printLines([`${placements.length} ${placements.length === 1 ? 'placement' : 'placements'} of ${devices} ${devices === 1 ? 'device' : 'devices'} written.`])
    })
}

const help = `
Columns, in any order; device_id is needed, an empty cell is not known:
  device_id    the device
  valid_from   since when: 2026-03-01, or 2026-03-01T12:00:00Z; empty: now
  site, room   where it hangs; a line without any place ends the placement before
  altitude_m   metres above sea level
  latitude, longitude   degrees, both or none
  labels       such as floor=2;owner=lab

Example of a file:
  device_id,valid_from,site,room,altitude_m,labels
  pi-attic,2026-03-01,home,attic,312,floor=2
  pi-cellar,2026-03-01,home,cellar,298.5,"floor=-1;owner=lab"

The same file may be imported again: a placement of the same device and time is
replaced.

Exit codes: 0 all are written, 1 an error and nothing is written (CrateDB has no
transactions: after a broken connection import the file again), 2 wrong usage.`

async function readCsv (file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file))
  } catch (error) {
    throw new IsobarError('ISO_IMPORT_UNREADABLE', { detail: `${file}: ${textOf(error)}`, cause: error })
  }
}

/**
 * The placements of a CSV text, and every fault with its line.
 * @param now epoch ms: since when a placement without valid_from holds
 */
export function parsePlacements (csv: string, now: number): { readonly placements: readonly Placement[], readonly faults: readonly string[] } {
  const [header, ...records] = csvRecords(csv)
  if (header === undefined) return { placements: [], faults: ['line 1: the file is empty'] }
  const columns = header.cells.map(cell => cell.trim().toLowerCase())
  const headerFaults = header.fault === null ? faultsOfHeader(columns) : [header.fault]
  if (headerFaults.length > 0) return { placements: [], faults: headerFaults.map(fault => `line ${header.line}: ${fault}`) }

  const placements: Placement[] = []
  const faults: string[] = []
  const lines = new Map<string, number>()
  for (const { line, cells, fault } of records) {
    const found = fault ?? (cells.length === columns.length ? null : `has ${cells.length} cells, the header has ${columns.length}`)
    const parsed = found === null ? parsePlacement(textsOf(columns, cells), now) : { ok: false as const, faults: [found] }
    if (parsed.ok) {
      const key = `${parsed.placement.deviceId} ${parsed.placement.validFrom}`
      const earlier = lines.get(key)
      if (earlier === undefined) lines.set(key, line)
      else faults.push(`line ${line}: has the device and the time of line ${earlier}`)
      placements.push(parsed.placement)
    } else {
      faults.push(...parsed.faults.map(text => `line ${line}: ${text}`))
    }
  }
  if (records.length === 0) faults.push(`line ${header.line}: there is no line after the header`)
  return { placements, faults }
}

function faultsOfHeader (columns: readonly string[]): readonly string[] {
  const known: readonly string[] = placementColumns
  return [
    ...columns.filter(column => !known.includes(column)).map(column => `column "${column}" is unknown; the columns are ${known.join(', ')}`),
    ...columns.filter((column, index) => columns.indexOf(column) !== index).map(column => `column "${column}" is there twice`),
    ...(columns.includes('device_id') ? [] : ['column device_id is missing; the first line has to name the columns'])
  ]
}

function textsOf (columns: readonly string[], cells: readonly string[]): PlacementTexts {
  return Object.fromEntries(columns.map((column, index) => [column as PlacementColumn, cells[index]!]))
}

/** Says on a terminal how far a long import is. */
function showProgress (total: number): (written: number) => void {
  if (process.stderr.isTTY !== true || total <= 1000) return () => {}
  return written => { process.stderr.write(written < total ? `\r${written} of ${total} written` : '\r\u001b[K') }
}
