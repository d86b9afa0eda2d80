// Runs TypeScript in test processes as it stands; .taprc names it. See hooks.mjs.
import { register } from 'node:module'

register('./hooks.mjs', import.meta.url)
