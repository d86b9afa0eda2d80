import { Type } from '@sinclair/typebox'
import { IsobarError } from '../../../lib/errors.ts'
import { commandRequest, configureAnswer, configureRequest, commandReply, type CommandRequest, type ConfigureRequest } from '../../../schemas/device-request.ts'
import { isDeviceId, type DeviceId } from '../../../schemas/topics.ts'
import { type DeviceRequests } from '../../device-requests.ts'
import { type Routes } from '../server.ts'

const params = Type.Object({ id: Type.String({ description: 'of the device' }) })
const defaultTimeoutMs = 5_000

/** `/api/v1/devices/<id>/configure` sets a device from afar; `…/command` has it do something. Both wait for its answer. */
export function deviceRequestsRoutes (requests: Pick<DeviceRequests, 'configure' | 'command'>): Routes {
  return server => {
    server.post<{ Params: { id: string }, Body: ConfigureRequest }>('/api/v1/devices/:id/configure', { schema: { params, body: configureRequest, response: { 200: configureAnswer } } }, async ({ params: { id }, body: { timeoutMs = defaultTimeoutMs, values } }) =>
      await requests.configure(deviceIn(id), values, timeoutMs))
    server.post<{ Params: { id: string }, Body: CommandRequest }>('/api/v1/devices/:id/command', { schema: { params, body: commandRequest, response: { 200: commandReply } } }, async ({ params: { id }, body: { timeoutMs = defaultTimeoutMs, name } }) =>
      await requests.command(deviceIn(id), name, timeoutMs))
  }
}

function deviceIn (id: string): DeviceId {
  if (!isDeviceId(id)) throw new IsobarError('ISO_HTTP_REQUEST', { detail: `"${id}" is no device id` })
  return id
}
