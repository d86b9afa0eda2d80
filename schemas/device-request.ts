import { Type, type Static } from '@sinclair/typebox'
import { commandAnswerSchema } from './command.ts'
import { commandNames } from './command-name.ts'
import { configReportSchema, remoteValuesSchema } from './remote-config.ts'

// What is asked of a device over HTTP, and answered.

/** How long its answer is waited for. */
const timeoutMs = Type.Optional(Type.Integer({ minimum: 100, maximum: 30_000, default: 5_000, description: 'longest wait for the device' }))

export const configureRequest = Type.Object({ values: remoteValuesSchema, timeoutMs })
export type ConfigureRequest = Static<typeof configureRequest>

/** `report` is null when the device has not answered in time: it gets the values when it connects. */
export const configureAnswer = Type.Object({ version: Type.Integer(), report: Type.Union([configReportSchema, Type.Null()]) })

export const commandRequest = Type.Object({ name: Type.Union(commandNames.map(name => Type.Literal(name))), timeoutMs })
export type CommandRequest = Static<typeof commandRequest>

export const commandReply = commandAnswerSchema
