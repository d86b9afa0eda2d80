import { IsobarError } from '../../lib/errors.ts'
import { faultsOfSettings, loadSettings, type Settings } from '../../schemas/settings.ts'
import { failWith, ok, warn, type Finding } from './finding.ts'

/** Says whether the settings are valid. @returns them, or null: then nothing else can be examined, which it says too */
export async function * examineSettings (): AsyncGenerator<Finding, Settings | null> {
  const faults = faultsOfSettings()
  if (faults.length > 0) {
    yield failWith('settings', new IsobarError('ISO_SETTING_INVALID', { detail: faults.map(({ name, fault }) => `${name} ${fault}`).join('; ') }))
    yield warn('the rest', 'is not examined while settings are not valid', 'Correct them first.')
    return null
  }
  yield ok('settings', 'all are valid')
  return loadSettings()
}
