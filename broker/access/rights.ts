/** read: to receive a message of a topic. write: to publish to it. */
export type Action = 'read' | 'write'

/** Yes or no, and what decided it. */
export interface Decision {
  readonly allowed: boolean
  /** The rule, as it stands in its file, or as a sentence. */
  readonly rule: string
  /** `path:line` of the rule; null for a rule that is built in. */
  readonly where: string | null
}

/** What one client may do. Pure: the same question has the same answer as long as the rules stay. */
export interface Rights {
  /** Whether it may publish to a topic, or receive what is published there. */
  decide (action: Action, topic: string): Decision
  /** Whether a filter is granted. What a granted filter delivers is decided for each message. */
  decideFilter (filter: string): Decision
}

export function allow (rule: string, where: string | null = null): Decision {
  return { allowed: true, rule, where }
}

export function deny (rule: string, where: string | null = null): Decision {
  return { allowed: false, rule, where }
}

const dollarTopic = deny('nobody publishes to a topic that begins with $')
const dollarFilter = deny('of the filters that begin with $ only $SYS is served')

/** Rights with what holds for everybody before them: topics with $ belong to the broker, which obeys some of them. */
export function guarded (rights: Rights): Rights {
  const writes = rememberingLast(topic => topic.startsWith('$') ? dollarTopic : rights.decide('write', topic))
  const reads = rememberingLast(topic => rights.decide('read', topic))
  return {
    decide: (action, topic) => action === 'write' ? writes(topic) : reads(topic),
    decideFilter: filter => filter.startsWith('$') && !filter.startsWith('$SYS/') ? dollarFilter : rights.decideFilter(filter)
  }
}

/** The same answers; a device asks about one topic again and again, and an acl_file may be long. */
function rememberingLast (decide: (topic: string) => Decision): (topic: string) => Decision {
  let lastTopic: string | null = null
  let last: Decision = dollarTopic
  return topic => {
    if (topic !== lastTopic) {
      last = decide(topic)
      lastTopic = topic
    }
    return last
  }
}
