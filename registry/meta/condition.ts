/** `metav1.Condition`; which members are required is each kind's schema's to say. */
export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  observedGeneration?: number
  /** RFC 3339. */
  lastTransitionTime?: string
  reason?: string
  message?: string
}
