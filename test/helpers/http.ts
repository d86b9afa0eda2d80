import { loadSettings } from '../../schemas/settings.ts'

/** The settings of the HTTP server without an environment. */
export const httpDefaults = loadSettings({}).http
