/** What became of a dead letter: it waits for a person, it was replayed and stored, or a person has given it up. */
export const letterStates = ['open', 'replayed', 'dropped'] as const
export type LetterState = typeof letterStates[number]
