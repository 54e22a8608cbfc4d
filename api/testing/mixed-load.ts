// What the drill runs with, under the name that tests know it by.
export * from '../drill/mixed-load.ts'
