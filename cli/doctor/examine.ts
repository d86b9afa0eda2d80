import { type Settings } from '../../schemas/settings.ts'
import { checkCertificates, usesTls } from './certificates.ts'
import { checkBinaries, lookAtDatabase } from './database.ts'
import { guarded, type Finding } from './finding.ts'
import { checkDataFolder, checkDisk } from './folder.ts'
import { checkInbox, gatewayFinding, lookForGateway } from './gateway.ts'
import { checkClock, checkI2c, checkNode, checkOpenFiles } from './machine.ts'
import { checkDatabasePort, checkHttpPorts, checkMqttPorts } from './ports.ts'
import { examineSettings } from './settings.ts'

/**
 * Examines this machine, these settings and what runs on them, finding by finding. It looks, and makes or changes nothing: a gateway may run meanwhile.
 * What cannot be examined is a finding too; it never throws.
 */
export async function * examine (): AsyncIterable<Finding> {
  yield await guarded('node', checkNode)
  yield await guarded('open files', checkOpenFiles)
  yield await guarded('i2c-bus', checkI2c)
  const settings = yield * examineSettings()
  if (settings !== null) yield * examineGateway(settings)
}

async function * examineGateway (settings: Settings): AsyncIterable<Finding> {
  yield await checkBinaries(settings)
  yield await checkDataFolder(settings)
  yield await guarded('disk', async () => await checkDisk(settings))
  const { look, finding } = await checkInbox(settings)
  yield finding
  const running = await lookForGateway(settings, look?.holder ?? null)
  yield gatewayFinding(running)
  yield * checkMqttPorts(settings, running)
  yield * checkHttpPorts(settings, running)
  if (usesTls(settings)) yield await guarded('certificates', async () => await checkCertificates(settings))
  const database = await lookAtDatabase(settings, running.holder !== null)
  if (settings.database.url === undefined) yield await checkDatabasePort(settings, running, database.isReachable && database.port === settings.database.port)
  yield * database.findings
  yield await guarded('clock', async () => await checkClock(database.newestAt))
}
