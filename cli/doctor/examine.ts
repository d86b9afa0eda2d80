import { faultsOfSettings, loadSettings } from '../../schemas/settings.ts'
import { IsobarError } from '../../lib/errors.ts'
import { checkBinaries, lookAtDatabase } from './database.ts'
import { failWith, ok, warn, type Finding } from './finding.ts'
import { checkDataFolder, checkDisk } from './folder.ts'
import { checkInbox, gatewayFinding, lookForGateway } from './gateway.ts'
import { checkClock, checkI2c, checkNode, checkOpenFiles } from './machine.ts'
import { checkDatabasePort, checkHttpPort, checkMqttPort } from './ports.ts'

/**
 * Examines this machine, these settings and what runs on them, finding by finding. It looks, and makes or changes nothing: a gateway may run meanwhile.
 * What cannot be examined is a finding too; it never throws.
 */
export async function * examine (): AsyncIterable<Finding> {
  yield await guarded('node', checkNode)
  yield await guarded('open files', checkOpenFiles)
  yield await guarded('i2c-bus', checkI2c)
  const faults = faultsOfSettings()
  if (faults.length > 0) {
    yield failWith('settings', new IsobarError('ISO_SETTING_INVALID', { detail: faults.map(({ name, fault }) => `${name} ${fault}`).join('; ') }))
    yield warn('the rest', 'is not examined while settings are not valid', 'Correct them first.')
    return
  }
  yield ok('settings', 'all are valid')
  yield * examineGateway()
}

async function * examineGateway (): AsyncIterable<Finding> {
  const settings = loadSettings()
  yield await checkBinaries(settings)
  yield await checkDataFolder(settings)
  yield await guarded('disk', async () => await checkDisk(settings))
  const { look, finding } = await checkInbox(settings)
  yield finding
  const running = await lookForGateway(settings, look?.holder ?? null)
  yield gatewayFinding(running)
  yield await guarded('MQTT port', async () => await checkMqttPort(settings, running))
  yield await guarded('HTTP port', async () => await checkHttpPort(settings, running))
  const database = await lookAtDatabase(settings, running.holder !== null)
  if (settings.database.url === undefined) yield await checkDatabasePort(settings, running, database.isReachable && database.port === settings.database.port)
  yield * database.findings
  yield await guarded('clock', async () => await checkClock(database.newestAt))
}

/** A check that breaks has failed; the others go on. */
async function guarded (check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look()
  } catch (error) {
    return failWith(check, error)
  }
}
