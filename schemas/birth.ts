import { Type, type Static } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'

const uint32 = { minimum: 0, maximum: 2 ** 32 - 1 }

/** What a device says of itself, retained in `<device>/birth`. Keys that are not named here are allowed: a newer device may say more. */
export const birthShape = Type.Object({
  /** Version of this shape. */
  v: Type.Literal(1),
  device: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }),
  boot: Type.Integer(uint32),
  firmware: Type.String({ minLength: 1, maxLength: 64 }),
  sensor: Type.String({ minLength: 1, maxLength: 64 }),
  intervalMs: Type.Integer({ minimum: 1, maximum: 2 ** 32 - 1 }),
  oversampling: Type.Integer({ minimum: 0, maximum: 3 }),
  /** What tells the chip from another one. */
  sensorId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  /** Why the sensor gives no values, as long as that is an alert. */
  fault: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  /** What the outbox has lost: readings given up at a limit, places of its log that could not be read. */
  dropped: Type.Optional(Type.Integer({ minimum: 0 })),
  damaged: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Epoch ms of the device's clock. */
  at: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
})

export type Birth = Static<typeof birthShape>

export type DecodedBirth =
  | { readonly ok: true, readonly birth: Birth }
  /** `rule` says what is wrong, for a person. */
  | { readonly ok: false, readonly code: 'ISO_BIRTH_INVALID', readonly rule: string }

const check = TypeCompiler.Compile(birthShape)
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The payload of a birth. */
export function encodeBirth (birth: Birth): string {
  return JSON.stringify(birth)
}

/** The birth in an untrusted payload, as it was sent: also with keys of a newer device. Never throws. */
export function decodeBirth (payload: Uint8Array): DecodedBirth {
  let value: unknown
  try {
    value = JSON.parse(utf8.decode(payload))
  } catch {
    return { ok: false, code: 'ISO_BIRTH_INVALID', rule: 'it is not JSON in UTF-8' }
  }
  if (check.Check(value)) return { ok: true, birth: value }
  const first = check.Errors(value).First()
  return { ok: false, code: 'ISO_BIRTH_INVALID', rule: `${first?.path === '' ? 'the birth' : first?.path}: ${first?.message}` }
}
