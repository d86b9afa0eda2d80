/** What a device does when it is told to. */
export const commandNames = ['ping', 'read-now', 'identify', 'restart'] as const
export type CommandName = typeof commandNames[number]

export function isCommandName (text: string): text is CommandName {
  return (commandNames as readonly string[]).includes(text)
}
